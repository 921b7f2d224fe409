//! Everything that the database holds on one person, found by the schema itself: every row of every table that names the
//! user, or one of their enrollments or sessions. A table that is added later is included without anybody remembering it.

use diesel::{QueryableByName, RunQueryDsl, sql_query, sql_types};
use serde_json::{Map, Value};
use uuid::Uuid;

use super::Conn;
use crate::error::{AppError, AppResult};

#[derive(QueryableByName)]
struct Column {
    #[diesel(sql_type = sql_types::Text)]
    table_name: String,
    #[diesel(sql_type = sql_types::Text)]
    column_name: String,
    #[diesel(sql_type = sql_types::Text)]
    kind: String,
}

#[derive(QueryableByName)]
struct Row {
    #[diesel(sql_type = sql_types::Text)]
    value: String,
}

const SQLITE: &str = "SELECT m.name AS table_name, c.name AS column_name, c.type AS kind FROM sqlite_master m \
    JOIN pragma_table_info(m.name) c WHERE m.type = 'table' ORDER BY m.name, c.cid";
const POSTGRES: &str = "SELECT table_name::text AS table_name, column_name::text AS column_name, data_type::text AS kind \
    FROM information_schema.columns WHERE table_schema = current_schema() ORDER BY table_name, ordinal_position";

/// Columns by which a row belongs to a person, and how the person's id leads to them.
const LINKS: [(&str, &str); 3] = [
    ("user_id", "user_id = ?"),
    ("enrollment_id", "enrollment_id IN (SELECT id FROM enrollments WHERE user_id = ?)"),
    ("session_id", "session_id IN (SELECT id FROM sessions WHERE user_id = ?)"),
];

/// Whether a column is a secret that nobody may read, not even its person.
fn is_secret(column: &str) -> bool {
    ["hash", "secret", "private_key"].iter().any(|word| column.contains(word))
}

fn is_instant(column: &str, kind: &str) -> bool {
    kind == "INTEGER" && (matches!(column, "at" | "deadline") || column.ends_with("_at") || column.ends_with("_until"))
}

/// The rows about a person, by table.
///
/// # Errors
/// Database errors.
pub fn rows_about(conn: &mut Conn, user: Uuid) -> AppResult<Map<String, Value>> {
    let columns: Vec<Column> = match conn {
        Conn::Sqlite(c) => sql_query(SQLITE).load(c)?,
        Conn::Pg(c) => sql_query(POSTGRES).load(c)?,
    };
    let mut all = Map::new();
    // One statement for each table, of which there are as many as the schema has; never one for each row.
    for table in columns.chunk_by(|a, b| a.table_name == b.table_name) {
        let Some(name) = table.first().map(|column| column.table_name.as_str()) else { continue };
        let link = LINKS.iter().find(|(column, _)| table.iter().any(|c| c.column_name == *column));
        let condition = match (name, link) {
            ("users", _) => "id = ?",
            (_, Some((_, condition))) => condition,
            _ => continue,
        };
        let shown = table.iter().filter(|column| !is_secret(&column.column_name));
        let id = user.hyphenated();
        let rows: Vec<Row> = match conn {
            Conn::Sqlite(c) => {
                let members: Vec<String> = shown
                    .map(|column| {
                        let name = &column.column_name;
                        if is_instant(name, &column.kind) {
                            format!("'{name}', strftime('%Y-%m-%dT%H:%M:%fZ', \"{name}\" / 1000000.0, 'unixepoch')")
                        } else {
                            format!("'{name}', \"{name}\"")
                        }
                    })
                    .collect();
                let condition = condition.replace('?', &format!("'{id}'"));
                let sql =
                    format!("SELECT json_object({}) AS value FROM \"{name}\" WHERE {condition}", members.join(", "));
                sql_query(sql).load(c)?
            }
            Conn::Pg(c) => {
                let hidden: Vec<String> = table
                    .iter()
                    .filter(|column| is_secret(&column.column_name))
                    .map(|column| format!(" - '{}'", column.column_name))
                    .collect();
                let condition = condition.replace('?', &format!("'{id}'::uuid"));
                let sql = format!(
                    "SELECT (to_jsonb(t){})::text AS value FROM \"{name}\" t WHERE {condition}",
                    hidden.concat()
                );
                sql_query(sql).load(c)?
            }
        };
        let rows = rows
            .into_iter()
            .map(|row| serde_json::from_str(&row.value).map(unfold).map_err(AppError::internal))
            .collect::<AppResult<Vec<Value>>>()?;
        if !rows.is_empty() {
            all.insert(name.to_owned(), Value::Array(rows));
        }
    }
    Ok(all)
}

/// JSON that a column keeps as text becomes JSON.
fn unfold(mut row: Value) -> Value {
    for value in row.as_object_mut().into_iter().flat_map(Map::values_mut) {
        let inner = match &value {
            Value::String(text) if text.starts_with(['{', '[']) => serde_json::from_str(text).ok(),
            _ => None,
        };
        if let Some(inner) = inner {
            *value = inner;
        }
    }
    row
}
