//! Migrations of both databases: the same names, truly reverted, and the columns that the code expects.

use std::collections::BTreeMap;
use std::path::Path;

use cairn::db::{Conn, migrations};
use diesel::{QueryableByName, RunQueryDsl, sql_query};

fn names(database: &str) -> Vec<String> {
    let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("migrations").join(database);
    let mut names: Vec<String> =
        std::fs::read_dir(dir).unwrap().map(|e| e.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

#[test]
fn both_databases_have_the_same_migrations() {
    assert_eq!(names("sqlite"), names("postgres"));
}

#[derive(QueryableByName)]
struct Column {
    #[diesel(sql_type = diesel::sql_types::Text)]
    table_name: String,
    #[diesel(sql_type = diesel::sql_types::Text)]
    column_name: String,
}

const SQLITE: &str = "SELECT m.name AS table_name, c.name AS column_name FROM sqlite_master m JOIN pragma_table_info(m.name) c \
    WHERE m.type = 'table' AND m.name NOT LIKE 'sqlite%' ORDER BY m.name, c.name";
const POSTGRES: &str = "SELECT table_name::text, column_name::text FROM information_schema.columns WHERE table_schema = 'public' \
    ORDER BY table_name, column_name";

type Columns = BTreeMap<String, Vec<String>>;

fn live(conn: &mut Conn) -> Columns {
    let rows: Vec<Column> = match conn {
        Conn::Sqlite(c) => sql_query(SQLITE).load(c).unwrap(),
        Conn::Pg(c) => sql_query(POSTGRES).load(c).unwrap(),
    };
    let mut all = Columns::new();
    for row in rows.into_iter().filter(|row| row.table_name != "__diesel_schema_migrations") {
        all.entry(row.table_name).or_default().push(row.column_name);
    }
    all.values_mut().for_each(|columns| columns.sort());
    all
}

/// What `src/db/schema.rs` says, read from its text.
fn expected() -> Columns {
    let text = std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("src/db/schema.rs")).unwrap();
    let mut all = Columns::new();
    let mut table = String::new();
    for line in text.lines().map(str::trim) {
        if let Some(name) = line.split_once(" (").filter(|_| line.ends_with('{')).map(|(name, _)| name) {
            table = name.to_owned();
        } else if let Some((column, _)) =
            line.split_once(" -> ").filter(|_| !line.starts_with("//") && !line.contains("!("))
        {
            all.entry(table.clone()).or_default().push(column.trim_matches('#').to_owned());
        }
    }
    all.values_mut().for_each(|columns| columns.sort());
    all
}

both! {
    fn every_migration_is_truly_reverted(app) {
        app.state.db.write_here(|conn| {
            let before = live(conn);
            if let Conn::Sqlite(_) = conn {
                // SQLite's writer runs in a transaction, and migrations make their own.
                return Ok(());
            }
            migrations::redo_all(conn)?;
            assert_eq!(live(conn), before);
            Ok(())
        }).unwrap();
    }

    fn the_code_knows_the_columns(app) {
        let (live, mut expected) = (app.state.db.read_here(|conn| Ok(live(conn))).unwrap(), expected());
        let extra: Vec<&String> = live.keys().filter(|t| !expected.contains_key(*t)).collect();
        assert!(extra.is_empty(), "tables that the code does not know: {extra:?}");
        // `events.tx` is Postgres's own (who may read past whom), and no query on both databases names it.
        for (table, columns) in &live {
            let known = expected.remove(table).unwrap();
            let missing: Vec<&String> = known.iter().filter(|c| !columns.contains(c)).collect();
            let unknown: Vec<&String> = columns.iter().filter(|c| !known.contains(c) && *c != "tx").collect();
            assert!(missing.is_empty() && unknown.is_empty(), "{table}: missing {missing:?}, unknown {unknown:?}");
        }
        assert!(expected.is_empty(), "tables that the database does not have: {:?}", expected.keys());
    }
}

#[test]
fn sqlite_migrations_are_truly_reverted() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("x.db");
    let db = cairn::db::Db::open(&cairn::config::DatabaseUrl::Sqlite(path.clone()), 1).unwrap();
    migrations::migrate(&db).unwrap();
    db.close();
    let mut conn = Conn::Sqlite(diesel::Connection::establish(path.to_str().unwrap()).unwrap());
    let before = live(&mut conn);
    migrations::redo_all(&mut conn).unwrap();
    assert_eq!(live(&mut conn), before);
}
