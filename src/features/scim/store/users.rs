//! SQL about users as SCIM sees them: those who left are not there.

use chrono::{DateTime, Utc};
use diesel::dsl::sql;
use diesel::sql_types::{Bool, Nullable, Text};
use diesel::{
    BoolExpressionMethods, BoxableExpression, EscapeExpressionMethods, ExpressionMethods, NullableExpressionMethods,
    OptionalExtension, QueryDsl, RunQueryDsl, Selectable, SelectableHelper, TextExpressionMethods,
};
use serde_json::{Map, Value};
use uuid::Uuid;

use super::{From, Key, Order, pattern};
use crate::db::schema::{group_members, groups, other_emails, users};
use crate::db::types::{At, Id, Json, SqlId, SqlInstant};
use crate::db::{Conn, MultiBackend};
use crate::domain::scim::filter::Op;
use crate::domain::scim::sieve::{Match, Sieve};
use crate::error::AppResult;
use crate::features::users::UserRow;
use crate::per_backend;

/// A user with what SCIM alone knows.
#[derive(Debug, Clone, PartialEq, diesel::Queryable, Selectable)]
#[diesel(table_name = users)]
pub struct Row {
    /// What all of Cairn knows.
    #[diesel(embed)]
    pub user: UserRow,
    /// `userName`; none for those whom SCIM has not written yet.
    pub user_name: Option<String>,
    /// The rest.
    pub scim_document: Option<Value>,
}

impl Row {
    /// The name in lower case by which the user is found and sorted.
    pub fn name_key(&self) -> String {
        self.user_name.as_deref().unwrap_or(&self.user.email).to_lowercase()
    }

    /// The document.
    pub fn document(&self) -> Option<&Map<String, Value>> {
        self.scim_document.as_ref().and_then(Value::as_object)
    }
}

type Condition = Box<dyn BoxableExpression<users::table, MultiBackend, SqlType = Bool>>;

/// What a user's document says of `displayName`; both databases read it so.
pub const DISPLAY_NAME: &str = "users.scim_document ->> 'displayName'";

const NAME: &str = "COALESCE(users.user_name_key, users.email_key)";

fn condition(sieve: &Sieve) -> Condition {
    match sieve {
        Sieve::Everything => Box::new(users::id.eq(users::id)),
        Sieve::And(a, b) => Box::new(condition(a).and(condition(b))),
        Sieve::Or(a, b) => Box::new(condition(a).or(condition(b))),
        Sieve::Not(inner) => Box::new(diesel::dsl::not(condition(inner))),
        Sieve::Id(id) => Box::new(users::id.eq(Id(*id))),
        Sieve::Name(Match::Is, name) => Box::new(
            users::user_name_key
                .eq(name.clone())
                .assume_not_null()
                .and(users::user_name_key.is_not_null())
                .or(users::email_key.eq(name.clone()).and(users::user_name_key.is_null())),
        ),
        Sieve::Name(how, name) => Box::new(sql::<Text>(NAME).like(pattern(*how, name)).escape('\\')),
        Sieve::ExternalId(id) => {
            Box::new(users::external_id.is_not_null().and(users::external_id.eq(id.clone()).assume_not_null()))
        }
        Sieve::HasExternalId => Box::new(users::external_id.is_not_null()),
        Sieve::Active(true) => Box::new(users::state.eq("active")),
        Sieve::Active(false) => Box::new(users::state.ne("active")),
        Sieve::Email(email) => {
            let others =
                other_emails::table.filter(other_emails::email_key.eq(email.clone())).select(other_emails::user_id);
            Box::new(users::email_key.eq(email.clone()).or(users::id.eq_any(others)))
        }
        Sieve::EmployeeNumber(number) => Box::new(
            users::employee_number.is_not_null().and(users::employee_number.eq(number.clone()).assume_not_null()),
        ),
        Sieve::Manager(id) => {
            Box::new(users::manager_id.is_not_null().and(users::manager_id.eq(Id(*id)).assume_not_null()))
        }
        Sieve::InGroup(id) => {
            let members =
                group_members::table.filter(group_members::group_id.eq(Id(*id))).select(group_members::user_id);
            Box::new(users::id.eq_any(members))
        }
        Sieve::Created(op, at) => instant("users.created_at", *op, *at),
        Sieve::Changed(op, at) => instant("users.updated_at", *op, *at),
        // What is asked of groups only no user has.
        _ => Box::new(users::id.ne(users::id)),
    }
}

fn instant(column: &str, op: Op, at: DateTime<Utc>) -> Condition {
    let sign = match op {
        Op::Ne => "<>",
        Op::Gt => ">",
        Op::Ge => ">=",
        Op::Lt => "<",
        Op::Le => "<=",
        _ => "=",
    };
    Box::new(sql::<Bool>(&format!("{column} {sign} ")).bind::<SqlInstant, _>(At(at)))
}

/// How many fit.
pub fn count(conn: &mut Conn, sieve: &Sieve) -> AppResult<i64> {
    Ok(users::table.filter(users::state.ne("left")).filter(condition(sieve)).count().get_result(conn)?)
}

/// A page of those who fit.
pub fn page(
    conn: &mut Conn,
    sieve: &Sieve,
    order: Order,
    ascending: bool,
    from: &From,
    limit: i64,
) -> AppResult<Vec<Row>> {
    let mut query = users::table
        .filter(users::state.ne("left"))
        .filter(condition(sieve))
        .select(Row::as_select())
        .limit(limit)
        .into_boxed();
    let column = match order {
        Order::Id => "users.id",
        Order::Name => NAME,
        Order::Created => "users.created_at",
        Order::Changed => "users.updated_at",
    };
    let direction = if ascending { "ASC" } else { "DESC" };
    query = query.order(sql::<Bool>(&match order {
        Order::Id => format!("users.id {direction}"),
        _ => format!("{column} {direction}, users.id {direction}"),
    }));
    let sign = if ascending { ">" } else { "<" };
    query = match from {
        From::Offset(n) => query.offset(*n),
        From::After(Key::Id, id) if ascending => query.filter(users::id.gt(Id(*id))),
        From::After(Key::Id, id) => query.filter(users::id.lt(Id(*id))),
        From::After(Key::Name(name), id) => query.filter(
            sql::<Bool>(&format!("({column}, users.id) {sign} ("))
                .bind::<Text, _>(name.clone())
                .sql(", ")
                .bind::<SqlId, _>(Id(*id))
                .sql(")"),
        ),
        From::After(Key::At(at), id) => query.filter(
            sql::<Bool>(&format!("({column}, users.id) {sign} ("))
                .bind::<SqlInstant, _>(At(*at))
                .sql(", ")
                .bind::<SqlId, _>(Id(*id))
                .sql(")"),
        ),
    };
    Ok(query.load(conn)?)
}

/// These users.
pub fn by_ids(conn: &mut Conn, ids: &[Uuid]) -> AppResult<Vec<Row>> {
    Ok(users::table
        .filter(users::id.eq_any(ids.iter().map(|id| Id(*id))))
        .filter(users::state.ne("left"))
        .select(Row::as_select())
        .load(conn)?)
}

/// One user, also when they have left.
pub fn find(conn: &mut Conn, id: Uuid) -> AppResult<Option<Row>> {
    Ok(users::table.filter(users::id.eq(Id(id))).select(Row::as_select()).first(conn).optional()?)
}

/// Everybody who has this name, e-mail (both in lower case), external id or employee number, also those who left; locked on Postgres.
pub fn with_any(
    conn: &mut Conn,
    name: &str,
    email: Option<&str>,
    external_id: Option<&str>,
    number: Option<&str>,
) -> AppResult<Vec<Row>> {
    let found = users::table
        .filter(
            users::email_key
                .eq_any([Some(name), email].into_iter().flatten().map(str::to_owned).collect::<Vec<_>>())
                .or(users::user_name_key.eq_any(vec![name.to_owned()]).assume_not_null())
                .or(users::external_id.eq_any(external_id.map(str::to_owned)).assume_not_null())
                .or(users::employee_number.eq_any(number.map(str::to_owned)).assume_not_null()),
        )
        .order(users::id);
    Ok(match conn {
        Conn::Pg(c) => found.select(Row::as_select()).for_no_key_update().load(c)?,
        Conn::Sqlite(c) => found.select(Row::as_select()).load(c)?,
    })
}

/// Keeps what SCIM alone knows of a user.
pub fn save(
    conn: &mut Conn,
    id: Uuid,
    user_name: &str,
    document: &Map<String, Value>,
    others: &[String],
) -> diesel::QueryResult<()> {
    diesel::update(users::table.filter(users::id.eq(Id(id))))
        .set((
            users::user_name.eq(user_name),
            users::user_name_key.eq(user_name.to_lowercase()),
            users::scim_document.eq(Json(Value::Object(document.clone()))),
        ))
        .execute(conn)?;
    diesel::delete(other_emails::table.filter(other_emails::user_id.eq(Id(id)))).execute(conn)?;
    for piece in others.chunks(500) {
        let rows: Vec<_> = piece
            .iter()
            .map(|email| (other_emails::email_key.eq(email.clone()), other_emails::user_id.eq(Id(id))))
            .collect();
        per_backend!(conn, |c| diesel::insert_into(other_emails::table).values(&rows).execute(c))?;
    }
    Ok(())
}

/// The groups of these users: user, group, the group's name.
pub fn groups_of(conn: &mut Conn, of: &[Uuid]) -> AppResult<Vec<(Uuid, Uuid, String)>> {
    Ok(group_members::table
        .inner_join(groups::table)
        .filter(group_members::user_id.eq_any(of.iter().map(|id| Id(*id))))
        .order((group_members::user_id, group_members::group_id))
        .select((group_members::user_id, groups::id, groups::name))
        .load(conn)?)
}

/// The names of a user: id, display name of their own, given and family name.
pub type NamesRow = (Uuid, Option<String>, String, String);

/// Names of these users.
pub fn names(conn: &mut Conn, of: &[Uuid]) -> AppResult<Vec<NamesRow>> {
    Ok(users::table
        .filter(users::id.eq_any(of.iter().map(|id| Id(*id))))
        .select((users::id, sql::<Nullable<Text>>(DISPLAY_NAME), users::given_name, users::family_name))
        .load(conn)?)
}
