//! SQL about leagues.

use diesel::{ExpressionMethods, OptionalExtension, QueryDsl, RunQueryDsl};
use uuid::Uuid;

use super::PIECE;
use crate::db::Conn;
use crate::db::schema::{game_boards as boards, game_league_places as places, game_standings as standings};
use crate::db::types::Id;
use crate::domain::game::league::Place;
use crate::error::AppResult;
use crate::per_backend;

pub fn insert(conn: &mut Conn, game: Uuid, bucket: &str, rows: &[Place]) -> AppResult<()> {
    let values: Vec<_> = rows
        .iter()
        .map(|place| {
            (
                places::game_id.eq(Id(game)),
                places::bucket.eq(bucket.to_owned()),
                places::user_id.eq(Id(place.user)),
                places::tier.eq(i32::try_from(place.tier).unwrap_or(0)),
                places::group_no.eq(i32::try_from(place.group).unwrap_or(0)),
            )
        })
        .collect();
    for piece in values.chunks(PIECE) {
        per_backend!(conn, |c| diesel::insert_into(places::table).values(piece).on_conflict_do_nothing().execute(c))?;
    }
    Ok(())
}

/// The newest bucket for which groups were drawn.
pub fn newest(conn: &mut Conn, game: Uuid) -> AppResult<Option<String>> {
    Ok(places::table
        .filter(places::game_id.eq(Id(game)))
        .order(places::bucket.desc())
        .select(places::bucket)
        .first(conn)
        .optional()?)
}

/// A player's tier and group in a bucket.
pub fn place_of(conn: &mut Conn, game: Uuid, bucket: &str, user: Uuid) -> AppResult<Option<(i32, i32)>> {
    Ok(places::table
        .filter(places::game_id.eq(Id(game)))
        .filter(places::bucket.eq(bucket))
        .filter(places::user_id.eq(Id(user)))
        .select((places::tier, places::group_no))
        .first(conn)
        .optional()?)
}

/// Places of a bucket, or of one of its groups, with the points of that bucket, best first within each group.
pub fn places(conn: &mut Conn, game: Uuid, bucket: &str, group: Option<i32>) -> AppResult<Vec<Place>> {
    use diesel::{BoolExpressionMethods, JoinOnDsl, NullableExpressionMethods};
    let board: Option<i64> = boards::table
        .filter(boards::game_id.eq(Id(game)))
        .filter(boards::bucket.eq(bucket))
        .select(boards::id)
        .first(conn)
        .optional()?;
    let on = standings::board_id.eq(board.unwrap_or(-1)).and(standings::user_id.eq(places::user_id));
    let mut query = places::table
        .left_join(standings::table.on(on))
        .filter(places::game_id.eq(Id(game)))
        .filter(places::bucket.eq(bucket.to_owned()))
        .select((
            places::user_id,
            places::tier,
            places::group_no,
            standings::points.nullable(),
            standings::reached_at.nullable(),
        ))
        .into_boxed();
    if let Some(group) = group {
        query = query.filter(places::group_no.eq(group));
    }
    type Row = (Uuid, i32, i32, Option<i64>, Option<chrono::DateTime<chrono::Utc>>);
    let mut rows: Vec<Row> = query.load(conn)?;
    let never = chrono::DateTime::<chrono::Utc>::MAX_UTC;
    rows.sort_by_key(|(user, _, group, points, at)| {
        (*group, std::cmp::Reverse(points.unwrap_or(0)), at.unwrap_or(never), *user)
    });
    Ok(rows
        .into_iter()
        .map(|(user, tier, group, points, _)| Place {
            user,
            tier: u32::try_from(tier).unwrap_or(0),
            group: u32::try_from(group).unwrap_or(0),
            points: points.unwrap_or(0),
        })
        .collect())
}
