//! SQL about groups as SCIM sees them. Members who left the company are not shown.

use chrono::{DateTime, Utc};
use diesel::dsl::sql;
use diesel::sql_types::{Bool, Nullable, Text};
use diesel::{
    BoolExpressionMethods, BoxableExpression, EscapeExpressionMethods, ExpressionMethods, NullableExpressionMethods,
    QueryDsl, RunQueryDsl, SelectableHelper, TextExpressionMethods,
};
use uuid::Uuid;

use super::users::DISPLAY_NAME;
use super::{From, Key, Order, pattern};
use crate::db::schema::{group_members, groups, users};
use crate::db::types::{At, Id, SqlId, SqlInstant};
use crate::db::{Conn, MultiBackend};
use crate::domain::scim::filter::Op;
use crate::domain::scim::sieve::{Match, Sieve};
use crate::error::AppResult;
use crate::features::groups::GroupRow;

type Condition = Box<dyn BoxableExpression<groups::table, MultiBackend, SqlType = Bool>>;

fn condition(sieve: &Sieve) -> Condition {
    match sieve {
        Sieve::Everything => Box::new(groups::id.eq(groups::id)),
        Sieve::And(a, b) => Box::new(condition(a).and(condition(b))),
        Sieve::Or(a, b) => Box::new(condition(a).or(condition(b))),
        Sieve::Not(inner) => Box::new(diesel::dsl::not(condition(inner))),
        Sieve::Id(id) => Box::new(groups::id.eq(Id(*id))),
        Sieve::Name(Match::Is, name) => Box::new(groups::name_key.eq(name.clone())),
        Sieve::Name(how, name) => Box::new(groups::name_key.like(pattern(*how, name)).escape('\\')),
        Sieve::ExternalId(id) => {
            Box::new(groups::external_id.is_not_null().and(groups::external_id.eq(id.clone()).assume_not_null()))
        }
        Sieve::HasExternalId => Box::new(groups::external_id.is_not_null()),
        Sieve::Member(id) => {
            let of = group_members::table.filter(group_members::user_id.eq(Id(*id))).select(group_members::group_id);
            Box::new(groups::id.eq_any(of))
        }
        Sieve::Created(op, at) => {
            let sign = match op {
                Op::Ne => "<>",
                Op::Gt => ">",
                Op::Ge => ">=",
                Op::Lt => "<",
                Op::Le => "<=",
                _ => "=",
            };
            Box::new(sql::<Bool>(&format!("groups.created_at {sign} ")).bind::<SqlInstant, _>(At(*at)))
        }
        // What is asked of users only no group has.
        _ => Box::new(groups::id.ne(groups::id)),
    }
}

/// How many fit.
pub fn count(conn: &mut Conn, sieve: &Sieve) -> AppResult<i64> {
    Ok(groups::table.filter(condition(sieve)).count().get_result(conn)?)
}

/// A page of those that fit.
pub fn page(
    conn: &mut Conn,
    sieve: &Sieve,
    order: Order,
    ascending: bool,
    from: &From,
    limit: i64,
) -> AppResult<Vec<GroupRow>> {
    let mut query = groups::table.filter(condition(sieve)).select(GroupRow::as_select()).limit(limit).into_boxed();
    let column = match order {
        Order::Name => "groups.name_key",
        Order::Created | Order::Changed => "groups.created_at",
        Order::Id => "groups.id",
    };
    let direction = if ascending { "ASC" } else { "DESC" };
    query = query.order(sql::<Bool>(&match order {
        Order::Id => format!("groups.id {direction}"),
        _ => format!("{column} {direction}, groups.id {direction}"),
    }));
    let sign = if ascending { ">" } else { "<" };
    query = match from {
        From::Offset(n) => query.offset(*n),
        From::After(Key::Id, id) if ascending => query.filter(groups::id.gt(Id(*id))),
        From::After(Key::Id, id) => query.filter(groups::id.lt(Id(*id))),
        From::After(Key::Name(name), id) => query.filter(
            sql::<Bool>(&format!("({column}, groups.id) {sign} ("))
                .bind::<Text, _>(name.clone())
                .sql(", ")
                .bind::<SqlId, _>(Id(*id))
                .sql(")"),
        ),
        From::After(Key::At(at), id) => query.filter(
            sql::<Bool>(&format!("({column}, groups.id) {sign} ("))
                .bind::<SqlInstant, _>(At(*at))
                .sql(", ")
                .bind::<SqlId, _>(Id(*id))
                .sql(")"),
        ),
    };
    Ok(query.load(conn)?)
}

/// These groups.
pub fn by_ids(conn: &mut Conn, ids: &[Uuid]) -> AppResult<Vec<GroupRow>> {
    Ok(groups::table
        .filter(groups::id.eq_any(ids.iter().map(|id| Id(*id))))
        .select(GroupRow::as_select())
        .load(conn)?)
}

/// The size of a group: the group, how many members, since when the last of them.
pub type SizeRow = (Uuid, i64, Option<DateTime<Utc>>);

/// The sizes of these groups; those without members are missing.
pub fn sizes(conn: &mut Conn, of: &[Uuid]) -> AppResult<Vec<SizeRow>> {
    use diesel::dsl::count_star;
    let since = sql::<Nullable<SqlInstant>>("max(group_members.joined_at)");
    Ok(group_members::table
        .inner_join(users::table)
        .filter(group_members::group_id.eq_any(of.iter().map(|id| Id(*id))))
        .filter(users::state.ne("left"))
        .group_by(group_members::group_id)
        .select((group_members::group_id, count_star(), since))
        .load(conn)?)
}

/// A member: the group, the user, their display name and names.
pub type MemberRow = (Uuid, Uuid, Option<String>, String, String);

/// The members of these groups, in order of the users' making.
pub fn members(conn: &mut Conn, of: &[Uuid]) -> AppResult<Vec<MemberRow>> {
    Ok(group_members::table
        .inner_join(users::table)
        .filter(group_members::group_id.eq_any(of.iter().map(|id| Id(*id))))
        .filter(users::state.ne("left"))
        .order((group_members::group_id, group_members::user_id))
        .select((
            group_members::group_id,
            users::id,
            sql::<Nullable<Text>>(DISPLAY_NAME),
            users::given_name,
            users::family_name,
        ))
        .load(conn)?)
}

/// The members of a group.
pub fn member_ids(conn: &mut Conn, of: Uuid) -> AppResult<Vec<Uuid>> {
    Ok(group_members::table
        .inner_join(users::table)
        .filter(group_members::group_id.eq(Id(of)))
        .filter(users::state.ne("left"))
        .select(users::id)
        .load(conn)?)
}

/// Which of these people are users who have not left.
pub fn present(conn: &mut Conn, people: &[Uuid]) -> AppResult<Vec<Uuid>> {
    let mut found = Vec::with_capacity(people.len());
    // In pieces, since SQLite takes so many values in a statement and no more.
    for piece in people.chunks(5_000) {
        let some: Vec<Uuid> = users::table
            .filter(users::id.eq_any(piece.iter().map(|id| Id(*id))))
            .filter(users::state.ne("left"))
            .select(users::id)
            .load(conn)?;
        found.extend(some);
    }
    Ok(found)
}
