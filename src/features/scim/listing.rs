//! Lists and searches. What an index answers, the database pages and sorts; the rest is looked at in pieces, of which only the ids
//! and keys of what fits are kept, so that a hundred thousand users cost no more memory than one piece and those.

use std::collections::HashMap;

use serde_json::{Map, Value, json};
use uuid::Uuid;

use super::access::authorised;
use super::fault::checked;
use super::store::users::Row;
use super::store::{From, Key, Order, groups as group_store, users as user_store};
use super::view::{self, Needs, Shown};
use crate::db::Conn;
use crate::domain::scim::list::{LIST_RESPONSE, Paging, Request, Sort, Spot, Wish};
use crate::domain::scim::schemas::{ANYTHING, GROUPS, ResourceType, USERS};
use crate::domain::scim::sieve::{Kind, Sieve, sieve};
use crate::error::{AppError, AppResult};
use crate::features::groups::GroupRow;
use crate::state::Ctx;

/// Resources looked at in one piece.
const PIECE: i64 = 500;
/// Groups looked at in one piece when their members are asked about.
const GROUP_PIECE: i64 = 25;
/// Members on a page of groups at most, unless one group alone has more.
const MAX_MEMBERS: i64 = 50_000;

/// What is listed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum What {
    /// Users.
    Users,
    /// Groups.
    Groups,
    /// Both.
    Everything,
}

impl What {
    fn kinds(self) -> &'static [Kind] {
        match self {
            Self::Users => &[Kind::User],
            Self::Groups => &[Kind::Group],
            Self::Everything => &[Kind::User, Kind::Group],
        }
    }

    fn of(self) -> &'static ResourceType {
        match self {
            Self::Users => &USERS,
            Self::Groups => &GROUPS,
            Self::Everything => &ANYTHING,
        }
    }
}

/// Rows of one kind.
enum Found {
    Users(Vec<Row>),
    Groups(Vec<GroupRow>),
}

impl Found {
    fn shown(&self, conn: &mut Conn, needs: Needs, base: &str) -> AppResult<Vec<Shown>> {
        match self {
            Self::Users(rows) => view::users(conn, rows, needs, base),
            Self::Groups(rows) => view::groups(conn, rows, needs, base),
        }
    }
}

fn count(conn: &mut Conn, kind: Kind, sieve: &Sieve) -> AppResult<i64> {
    match kind {
        Kind::User => user_store::count(conn, sieve),
        Kind::Group => group_store::count(conn, sieve),
    }
}

fn page(
    conn: &mut Conn,
    kind: Kind,
    sieve: &Sieve,
    (order, ascending): (Order, bool),
    from: &From,
    limit: i64,
) -> AppResult<Found> {
    Ok(match kind {
        Kind::User => Found::Users(user_store::page(conn, sieve, order, ascending, from, limit)?),
        Kind::Group => Found::Groups(group_store::page(conn, sieve, order, ascending, from, limit)?),
    })
}

/// The order of an index that a sort asks for.
fn order(sort: Option<&Sort>, kind: Kind) -> Option<Order> {
    let Some(sort) = sort else { return Some(Order::Id) };
    match (sort.path.extension, sort.path.name.as_str(), sort.path.sub.as_deref(), kind) {
        (None, "id", None, _) => Some(Order::Id),
        (None, "userName", None, Kind::User) | (None, "displayName", None, Kind::Group) => Some(Order::Name),
        (None, "meta", Some("created"), _) => Some(Order::Created),
        (None, "meta", Some("lastModified"), Kind::User) => Some(Order::Changed),
        _ => None,
    }
}

/// One page of a list.
struct Page {
    total: i64,
    shown: Vec<Shown>,
    /// Where the next page begins.
    next: Option<Spot>,
}

/// A page of what a client asks for.
///
/// # Errors
/// 400, 403.
pub fn list(conn: &mut Conn, ctx: &Ctx, what: What, wish: &Wish, base: &str) -> AppResult<Value> {
    authorised(ctx)?;
    let request = checked(wish.read(what.of()))?;
    let question = wish.question(what.of().name);
    let after = match &request.paging {
        Paging::Cursor(Some(text)) => Some(checked(Spot::from_cursor(text, &question, ctx.now.timestamp()))?),
        _ => None,
    };
    let page = match what.kinds() {
        [kind] => by_index(conn, *kind, &request, after.as_ref(), base)?,
        _ => None,
    };
    let page = match page {
        Some(page) => page,
        None => by_looking(conn, what, &request, after.as_ref(), base)?,
    };
    let mut resources = Vec::with_capacity(page.shown.len());
    for mut shown in page.shown {
        request.projection.apply(&mut shown.resource, what.of());
        resources.push(Value::Object(shown.resource));
    }
    let mut body = Map::new();
    body.insert("schemas".into(), json!([LIST_RESPONSE]));
    body.insert("totalResults".into(), Value::from(page.total));
    body.insert("itemsPerPage".into(), Value::from(resources.len()));
    match request.paging {
        Paging::Index(start) => {
            body.insert("startIndex".into(), Value::from(start));
        }
        Paging::Cursor(_) => {
            if let Some(next) = page.next {
                body.insert("nextCursor".into(), Value::from(next.cursor(&question, ctx.now.timestamp())));
            }
        }
    }
    body.insert("Resources".into(), Value::Array(resources));
    Ok(Value::Object(body))
}

/// What the answer needs of each resource.
fn needs(request: &Request) -> Needs {
    super::users::needs(&request.projection)
}

/// What must be known of each resource to look at it.
fn needs_to_look(request: &Request) -> Needs {
    let about = |name: &str| {
        request.filter.as_ref().is_some_and(|filter| filter.mentions(name))
            || request.sort.as_ref().is_some_and(|sort| sort.path.name == name)
    };
    Needs { groups: about("groups"), members: about("members"), manager_names: about("manager"), tags: about("meta") }
}

/// The page, if an index answers filter and order.
fn by_index(
    conn: &mut Conn,
    kind: Kind,
    request: &Request,
    after: Option<&Spot>,
    base: &str,
) -> AppResult<Option<Page>> {
    let Some(order) = order(request.sort.as_ref(), kind) else { return Ok(None) };
    let (sieve, exact) = request.filter.as_ref().map_or((Sieve::Everything, true), |filter| sieve(filter, kind));
    if !exact {
        return Ok(None);
    }
    let total = count(conn, kind, &sieve)?;
    let from = match (&request.paging, after) {
        (Paging::Index(start), _) => From::Offset(start.saturating_sub(1)),
        (Paging::Cursor(_), None) => From::Offset(0),
        (Paging::Cursor(_), Some(spot)) => From::After(key(order, spot)?, spot.id),
    };
    if request.count == 0 || total == 0 {
        return Ok(Some(Page { total, shown: Vec::new(), next: None }));
    }
    // One more than wanted, to know whether there is a next page.
    let limit = request.count.saturating_add(1);
    let mut found = page(conn, kind, &sieve, (order, request.ascending), &from, limit)?;
    let wanted = usize::try_from(request.count).map_err(AppError::internal)?;
    let (more, last) = match &mut found {
        Found::Users(rows) => {
            let more = rows.len() > wanted;
            rows.truncate(wanted);
            (more, rows.last().map(|row| (row.name_key(), row.user.created_at, row.user.updated_at, row.user.id)))
        }
        Found::Groups(rows) => {
            let fewer = fitting(conn, rows, needs(request), wanted)?;
            let more = rows.len() > fewer;
            rows.truncate(fewer);
            (more, rows.last().map(|row| (row.name.to_lowercase(), row.created_at, row.updated_at, row.id)))
        }
    };
    let next = last.filter(|_| more).map(|(name, created, changed, id)| Spot {
        key: match order {
            Order::Id => None,
            Order::Name => Some(name),
            Order::Created => Some(created.timestamp_micros().to_string()),
            Order::Changed => Some(changed.timestamp_micros().to_string()),
        },
        group: kind == Kind::Group,
        id,
    });
    let shown = found.shown(conn, needs(request), base)?;
    Ok(Some(Page { total, shown, next }))
}

/// How many of these groups fit on a page with their members.
fn fitting(conn: &mut Conn, rows: &[GroupRow], needs: Needs, wanted: usize) -> AppResult<usize> {
    if !needs.members {
        return Ok(wanted);
    }
    let ids: Vec<Uuid> = rows.iter().map(|row| row.id).collect();
    let sizes = view::sizes(conn, &ids)?;
    let mut members: i64 = 0;
    for (n, id) in ids.iter().enumerate().take(wanted) {
        members = members.saturating_add(sizes.get(id).map_or(0, |size| size.0));
        if n > 0 && members > MAX_MEMBERS {
            return Ok(n);
        }
    }
    Ok(wanted)
}

fn key(order: Order, spot: &Spot) -> AppResult<Key> {
    let bad = || {
        let kind = crate::domain::scim::ErrorType::InvalidCursor;
        super::fault::fault(kind, "This cursor was not given out for this list.")
    };
    match (order, &spot.key) {
        (Order::Id, _) => Ok(Key::Id),
        (Order::Name, Some(name)) => Ok(Key::Name(name.clone())),
        (Order::Created | Order::Changed, Some(micros)) => {
            // Up to the year 9999, which both databases know.
            let micros = micros.parse().ok().filter(|n| (0..253_402_300_800_000_000).contains(n));
            let at = micros.and_then(chrono::DateTime::from_timestamp_micros).ok_or_else(bad)?;
            Ok(Key::At(at))
        }
        (_, None) => Err(bad()),
    }
}

/// The page, found by looking at everything that the sieve lets through.
fn by_looking(conn: &mut Conn, what: What, request: &Request, after: Option<&Spot>, base: &str) -> AppResult<Page> {
    let mut spots = Vec::new();
    for kind in what.kinds() {
        look(conn, *kind, request, base, &mut spots)?;
    }
    let total = i64::try_from(spots.len()).map_err(AppError::internal)?;
    spots.sort_by(|a, b| a.compare(b, request.ascending));
    let skip = match (&request.paging, after) {
        (Paging::Index(start), _) => usize::try_from(start.saturating_sub(1)).unwrap_or(usize::MAX),
        (Paging::Cursor(_), None) => 0,
        (Paging::Cursor(_), Some(after)) => {
            spots.iter().take_while(|spot| spot.compare(after, request.ascending).is_le()).count()
        }
    };
    let wanted = usize::try_from(request.count).map_err(AppError::internal)?;
    let rest: Vec<Spot> = spots.into_iter().skip(skip).take(wanted.saturating_add(1)).collect();
    let ids =
        |group: bool| rest.iter().take(wanted).filter(move |s| s.group == group).map(|s| s.id).collect::<Vec<_>>();
    let (users, groups) = (ids(false), ids(true));
    let mut shown: HashMap<Uuid, Shown> = HashMap::with_capacity(rest.len());
    if !users.is_empty() {
        let rows = user_store::by_ids(conn, &users)?;
        shown.extend(view::users(conn, &rows, needs(request), base)?.into_iter().map(|one| (one.id, one)));
    }
    if !groups.is_empty() {
        let mut rows = group_store::by_ids(conn, &groups)?;
        rows.sort_by_key(|row| groups.iter().position(|id| *id == row.id));
        rows.truncate(fitting(conn, &rows, needs(request), wanted)?);
        shown.extend(view::groups(conn, &rows, needs(request), base)?.into_iter().map(|one| (one.id, one)));
    }
    // The page ends where the first one is that did not fit.
    let on_page = rest.iter().take(wanted).take_while(|spot| shown.contains_key(&spot.id)).count();
    let next = if rest.len() > on_page { on_page.checked_sub(1).and_then(|n| rest.get(n)).cloned() } else { None };
    let shown = rest.iter().take(on_page).filter_map(|spot| shown.remove(&spot.id)).collect();
    Ok(Page { total, shown, next })
}

fn look(conn: &mut Conn, kind: Kind, request: &Request, base: &str, spots: &mut Vec<Spot>) -> AppResult<()> {
    let sieve = request.filter.as_ref().map_or(Sieve::Everything, |filter| sieve(filter, kind).0);
    let needs = needs_to_look(request);
    let piece = if kind == Kind::Group && needs.members { GROUP_PIECE } else { PIECE };
    let mut from = From::Offset(0);
    loop {
        let found = page(conn, kind, &sieve, (Order::Id, true), &from, piece)?.shown(conn, needs, base)?;
        for one in &found {
            if request.filter.as_ref().is_none_or(|filter| filter.matches(&one.resource)) {
                let key = request.sort.as_ref().and_then(|sort| sort.key(&one.resource));
                spots.push(Spot { key, group: kind == Kind::Group, id: one.id });
            }
        }
        match found.last() {
            Some(last) if i64::try_from(found.len()).unwrap_or(piece) == piece => from = From::After(Key::Id, last.id),
            _ => return Ok(()),
        }
    }
}
