//! Ranks without counting everybody: each server keeps the boards that it is asked for in order, in memory, and follows their moves.
//!
//! The database has, for each board, the sums of its players and a log of moves ([`apply`] appends to it in the transaction of the
//! ledger entries): who stood where, who stands where. A board that is asked for is put in order once from its sums, and from then
//! on is brought up to date with the moves that it has not seen, which is exact at once, also when another process made them.
//! So an entry of a game costs the database no ordered index, whose pages would all change at random, and a rank costs the
//! logarithm of the players ([`Order`]).
//!
//! A row of the log ends at a count of moves, `upto`, and carries a random stamp. The board's row names the last of both. Whoever
//! stands at a count with another stamp, or finds a gap because old rows were forgotten, puts the board in order anew. Only what is
//! committed comes into the shared memory; a transaction that has moved players itself looks at a copy ([`within`]).

use std::collections::{BTreeMap, HashMap};
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, LazyLock, Mutex, MutexGuard, PoisonError};

use chrono::DateTime;
use diesel::{BoolExpressionMethods, ExpressionMethods, QueryDsl, QueryableByName, RunQueryDsl, sql_query, sql_types};
use serde_json::json;
use uuid::Uuid;

use crate::clock;
use crate::db::Conn;
use crate::db::schema::{game_boards as boards, game_moves as trail, game_standings as standings};
use crate::db::types::Id;
use crate::domain::game::order::Order;
use crate::domain::game::rank::{KEY_BYTES, Key};
use crate::error::{AppError, AppResult};
use crate::per_backend;

/// A player of a board who moves, enters (`old` absent) or leaves (`new` absent).
#[derive(Debug, Clone, Copy)]
pub struct Move {
    /// The board.
    pub board: i64,
    /// Key until now.
    pub old: Option<Key>,
    /// Key from now on.
    pub new: Option<Key>,
}

/// How far a board has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Head {
    /// Moves so far.
    pub moved: i64,
    /// The stamp of the transaction that made the last.
    pub stamp: i64,
}

/// A board of a game, as its row says.
#[derive(Debug, Clone)]
pub struct Board {
    /// The game.
    pub game: Uuid,
    /// The board's id.
    pub id: i64,
    /// Its bucket of time, such as `all` or `week:2026-11-23`.
    pub bucket: String,
    /// How far it has come.
    pub head: Head,
}

/// Moves of a board that are kept at least; who is further behind puts the board in order anew.
const KEPT: i64 = 65_536;
/// Old moves are forgotten each time that a board has made so many.
const FORGET_EVERY: i64 = 16_384;
/// Players of a board that is followed although nobody asks.
const FOLLOWED: usize = 1_000;
/// Sums read in one statement.
const PAGE: i64 = 20_000;
/// Keys held in memory at most (32 bytes each), unless a single board has more: the boards asked for longest ago go.
const MOST_KEYS: usize = 2_000_000;

// ---- the log ----

/// A move as bytes: which keys follow, then those.
fn write(bytes: &mut Vec<u8>, m: &Move) {
    bytes.push(u8::from(m.old.is_some()) | u8::from(m.new.is_some()) << 1);
    m.old.iter().chain(&m.new).for_each(|key| bytes.extend(key.as_bytes()));
}

/// Reads moves: the old and the new key of each.
fn read(mut bytes: &[u8]) -> Option<Vec<(Option<Key>, Option<Key>)>> {
    let mut moves = Vec::with_capacity(bytes.len() / (2 * KEY_BYTES));
    while let Some((flags, rest)) = bytes.split_first() {
        bytes = rest;
        let mut key = |flag: u8| {
            if flags & flag == 0 {
                return Some(None);
            }
            let (key, rest) = bytes.split_at_checked(KEY_BYTES)?;
            bytes = rest;
            Key::from_slice(key).map(Some)
        };
        moves.push((key(1)?, key(2)?));
    }
    Some(moves)
}

#[derive(QueryableByName)]
struct Came {
    #[diesel(sql_type = sql_types::BigInt)]
    board: i64,
    #[diesel(sql_type = sql_types::BigInt)]
    upto: i64,
}

/// Moves players, each at most once per board, in a transaction that holds the games' locks.
///
/// # Errors
/// Database errors.
pub fn apply(conn: &mut Conn, moves: &[Move]) -> AppResult<()> {
    let mut by_board: BTreeMap<i64, (i64, i64, Vec<u8>)> = BTreeMap::new();
    for m in moves.iter().filter(|m| m.old != m.new) {
        let (n, players, bytes) = by_board.entry(m.board).or_default();
        *n += 1;
        *players += i64::from(m.new.is_some()) - i64::from(m.old.is_some());
        write(bytes, m);
    }
    if by_board.is_empty() {
        return Ok(());
    }
    let stamp = i64::from_ne_bytes(clock::random()?);
    let came = advance(conn, &by_board, stamp)?;
    let rows: Vec<_> = came
        .iter()
        .filter_map(|came| {
            let (.., bytes) = by_board.get(&came.board)?;
            Some((
                trail::board_id.eq(came.board),
                trail::upto.eq(came.upto),
                trail::stamp.eq(stamp),
                trail::moves.eq(bytes.as_slice()),
            ))
        })
        .collect();
    for piece in rows.chunks(super::PIECE) {
        per_backend!(conn, |c| diesel::insert_into(trail::table).values(piece).execute(c))?;
    }
    let round = |moved: i64| moved.div_euclid(FORGET_EVERY);
    let due = came.iter().filter(|came| {
        by_board.get(&came.board).is_some_and(|(n, ..)| round(came.upto) != round(came.upto.saturating_sub(*n)))
    });
    forget(conn, &due.map(|came| (came.board, came.upto.saturating_sub(KEPT))).collect::<Vec<_>>())
}

/// Counts the moves in the boards' rows.
fn advance(conn: &mut Conn, by_board: &BTreeMap<i64, (i64, i64, Vec<u8>)>, stamp: i64) -> AppResult<Vec<Came>> {
    use sql_types::{Array, BigInt, Text};
    let sql = |list: &str| {
        format!(
            "UPDATE game_boards SET moved = game_boards.moved + v.n, players = game_boards.players + v.d, stamp = $2 \
             FROM {list} WHERE game_boards.id = v.board RETURNING game_boards.id AS board, game_boards.moved AS upto"
        )
    };
    Ok(match conn {
        Conn::Pg(c) => sql_query(sql("unnest($1::bigint[], $3::bigint[], $4::bigint[]) AS v(board, n, d)"))
            .bind::<Array<BigInt>, _>(by_board.keys().copied().collect::<Vec<_>>())
            .bind::<BigInt, _>(stamp)
            .bind::<Array<BigInt>, _>(by_board.values().map(|(n, ..)| *n).collect::<Vec<_>>())
            .bind::<Array<BigInt>, _>(by_board.values().map(|(_, players, _)| *players).collect::<Vec<_>>())
            .load(c)?,
        Conn::Sqlite(c) => {
            let list: Vec<_> = by_board.iter().map(|(board, (n, players, _))| json!([board, n, players])).collect();
            let table = "(SELECT json_extract(value, '$[0]') AS board, json_extract(value, '$[1]') AS n, \
                 json_extract(value, '$[2]') AS d FROM json_each($1)) AS v";
            sql_query(sql(table).replace('$', "?").replace("'?[", "'$["))
                .bind::<Text, _>(json!(list).to_string())
                .bind::<BigInt, _>(stamp)
                .load(c)?
        }
    })
}

/// Forgets what nobody who follows has still to see: rows of these boards up to these counts.
fn forget(conn: &mut Conn, upto: &[(i64, i64)]) -> AppResult<()> {
    for piece in upto.chunks(super::PIECE) {
        let these = piece.iter().map(|(board, upto)| trail::board_id.eq(*board).and(trail::upto.le(*upto)));
        per_backend!(conn, |c| {
            let mut delete = diesel::delete(trail::table).into_boxed();
            for this in these {
                delete = delete.or_filter(this);
            }
            delete.execute(c)
        })?;
    }
    Ok(())
}

// ---- the order ----

/// A board in order, and how far it has come.
#[derive(Debug, Clone)]
struct Held {
    head: Head,
    order: Order,
}

impl Held {
    /// Puts a board in order from its sums, and from what moved while they were read.
    fn load(conn: &mut Conn, board: &Board) -> AppResult<Self> {
        // Each attempt sees the head that the one before came to; only a torrent of moves outruns a second.
        let mut from = board.head;
        for _ in 0..5 {
            let keys = keys(conn, board.id)?;
            let Some((to, moves)) = since(conn, board.id, from)? else {
                from = head(conn, board.id)?;
                continue;
            };
            // What was read may have seen any of these moves or none: they say where each player stands in the end.
            let ends: HashMap<Uuid, Option<Key>> =
                moves.iter().filter_map(|(old, new)| old.or(*new).map(|key| (key.id(), *new))).collect();
            let others = keys.into_iter().filter(|key| !ends.contains_key(&key.id()));
            let keys = others.chain(ends.values().flatten().copied()).collect();
            return Ok(Self { head: to, order: Order::new(keys) });
        }
        Err(AppError::new(crate::error::Code::Unavailable, "The leaderboard moves too fast to be read. Try again."))
    }

    /// Follows the moves since; false when that cannot be done.
    fn follow(&mut self, conn: &mut Conn, board: i64) -> AppResult<bool> {
        let Some((to, moves)) = since(conn, board, self.head)? else { return Ok(false) };
        for (old, new) in &moves {
            let gone = old.as_ref().is_none_or(|key| self.order.remove(key));
            if !gone || !new.is_none_or(|key| self.order.insert(key)) {
                log::error!("the order of board {board} did not fit its moves and is made anew");
                return Ok(false);
            }
        }
        self.head = to;
        Ok(true)
    }

    /// A board brought up to date, or put in order.
    fn bring(held: Option<Self>, conn: &mut Conn, board: &Board) -> AppResult<Self> {
        if let Some(mut held) = held {
            // Who is ahead has seen what was committed after this reader's snapshot.
            if held.head == board.head || held.head.moved > board.head.moved || held.follow(conn, board.id)? {
                return Ok(held);
            }
        }
        Self::load(conn, board)
    }
}

/// Moves in order: the old and the new key of each.
type Moves = Vec<(Option<Key>, Option<Key>)>;

/// The moves after a head and where they lead; none when the log does not follow from it.
fn since(conn: &mut Conn, board: i64, from: Head) -> AppResult<Option<(Head, Moves)>> {
    let rows: Vec<(i64, i64, Vec<u8>)> = trail::table
        .filter(trail::board_id.eq(board))
        .filter(trail::upto.ge(from.moved))
        .order(trail::upto)
        .select((trail::upto, trail::stamp, trail::moves))
        .load(conn)?;
    let (mut at, mut all) = (from, Vec::new());
    let mut known = from.moved == 0;
    for (upto, stamp, bytes) in rows {
        if upto == from.moved {
            known = stamp == from.stamp;
            continue;
        }
        let moves = read(&bytes).ok_or_else(|| AppError::internal("moves of a board cannot be read"))?;
        let n = i64::try_from(moves.len()).unwrap_or(i64::MAX);
        if !known || upto.saturating_sub(n) != at.moved {
            return Ok(None);
        }
        at = Head { moved: upto, stamp };
        all.extend(moves);
    }
    Ok(known.then_some((at, all)))
}

/// Where a board stands.
fn head(conn: &mut Conn, board: i64) -> AppResult<Head> {
    let (moved, stamp) = boards::table.find(board).select((boards::moved, boards::stamp)).first(conn)?;
    Ok(Head { moved, stamp })
}

/// The keys of all listed players, read page by page.
fn keys(conn: &mut Conn, board: i64) -> AppResult<Vec<Key>> {
    let mut keys: Vec<Key> = Vec::new();
    let mut after = Uuid::nil();
    loop {
        let rows: Vec<(Uuid, i64, DateTime<chrono::Utc>)> = standings::table
            .filter(standings::board_id.eq(board))
            .filter(standings::user_id.gt(Id(after)))
            .filter(standings::listed)
            .order(standings::user_id)
            .limit(PAGE)
            .select((standings::user_id, standings::points, standings::reached_at))
            .load(conn)?;
        let more = i64::try_from(rows.len()).is_ok_and(|n| n == PAGE);
        after = rows.last().map_or(after, |(user, ..)| *user);
        keys.extend(rows.into_iter().map(|(user, points, at)| Key::new(points, at, user)));
        if !more {
            return Ok(keys);
        }
    }
}

// ---- what is shared ----

#[derive(Debug)]
struct Slot {
    bucket: String,
    held: Mutex<Option<Held>>,
    keys: AtomicUsize,
    used: AtomicU64,
}

/// In order of the game, so that those of one are found without looking at all.
type Slots = BTreeMap<(Uuid, i64), Arc<Slot>>;

static SLOTS: LazyLock<Mutex<Slots>> = LazyLock::new(Mutex::default);
static USES: AtomicU64 = AtomicU64::new(0);

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn slot(board: &Board) -> Arc<Slot> {
    let mut slots = lock(&SLOTS);
    let slot = slots.entry((board.game, board.id)).or_insert_with(|| {
        Arc::new(Slot {
            bucket: board.bucket.clone(),
            held: Mutex::default(),
            keys: AtomicUsize::new(0),
            used: AtomicU64::new(0),
        })
    });
    slot.used.store(USES.fetch_add(1, Ordering::Relaxed), Ordering::Relaxed);
    Arc::clone(slot)
}

/// Lets boards go that were asked for longest ago, until the others fit.
fn make_room(slots: &mut Slots, keep: &Arc<Slot>) {
    // An empty board takes some room as well.
    let size = |slot: &Arc<Slot>| slot.keys.load(Ordering::Relaxed).max(64);
    let mut all: usize = slots.values().map(size).sum();
    let mut others: Vec<_> = slots.iter().filter(|(_, slot)| !Arc::ptr_eq(slot, keep)).collect();
    others.sort_by_key(|(_, slot)| slot.used.load(Ordering::Relaxed));
    let mut gone = Vec::new();
    for (id, slot) in others {
        if all <= MOST_KEYS {
            break;
        }
        all = all.saturating_sub(size(slot));
        gone.push(*id);
    }
    gone.iter().for_each(|id| drop(slots.remove(id)));
}

/// Looks at a board in order, as of the reader's snapshot or a moment later.
///
/// # Errors
/// Database errors.
pub fn look<T>(conn: &mut Conn, board: &Board, f: impl FnOnce(&Order) -> T) -> AppResult<T> {
    let slot = slot(board);
    let mut held = lock(&slot.held);
    let now = Held::bring(held.take(), conn, board)?;
    let answer = f(&now.order);
    let grown = now.order.len() > slot.keys.swap(now.order.len(), Ordering::Relaxed);
    *held = Some(now);
    drop(held);
    if grown {
        make_room(&mut lock(&SLOTS), &slot);
    }
    Ok(answer)
}

/// [`look`] within a transaction that may have moved players itself: what is not committed stays out of the shared memory.
///
/// # Errors
/// Database errors.
pub fn within<T>(conn: &mut Conn, board: &Board, f: impl FnOnce(&Order) -> T) -> AppResult<T> {
    let copy = lock(&slot(board).held).clone();
    // Only who stands before this transaction can follow it.
    let copy = copy.filter(|held| held.head.moved <= board.head.moved);
    Held::bring(copy, conn, board).map(|held| f(&held.order))
}

/// Whether this process holds any board.
pub fn holds_any() -> bool {
    !lock(&SLOTS).is_empty()
}

/// Whether this process holds a board of the game for such a period: a look at it is quick then.
pub fn is_held(game: Uuid, period: &str) -> bool {
    lock(&SLOTS).range((game, i64::MIN)..=(game, i64::MAX)).any(|(_, slot)| slot.bucket.starts_with(period))
}

/// Brings the large boards that are held up to date, so that nobody who asks has to wait for many moves; small ones have few.
///
/// # Errors
/// Database errors.
pub fn follow_all(conn: &mut Conn) -> AppResult<()> {
    let large = |slot: &Arc<Slot>| slot.keys.load(Ordering::Relaxed) >= FOLLOWED;
    let slots: Slots =
        lock(&SLOTS).iter().filter(|(_, slot)| large(slot)).map(|(id, slot)| (*id, Arc::clone(slot))).collect();
    let ids: Vec<i64> = slots.keys().map(|(_, id)| *id).collect();
    if ids.is_empty() {
        return Ok(());
    }
    let rows: Vec<(i64, Uuid, i64, i64)> = boards::table
        .filter(boards::id.eq_any(ids))
        .select((boards::id, boards::game_id, boards::moved, boards::stamp))
        .load(conn)?;
    for (id, game, moved, stamp) in rows {
        let Some(slot) = slots.get(&(game, id)) else { continue };
        let mut held = lock(&slot.held);
        if let Some(mut board) = held.take_if(|held| held.head != Head { moved, stamp })
            && (board.head.moved > moved || board.follow(conn, id)?)
        {
            slot.keys.store(board.order.len(), Ordering::Relaxed);
            *held = Some(board);
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use diesel::connection::SimpleConnection;
    use diesel::{Connection, SqliteConnection};

    use super::*;

    /// Numbers that look like chance and are the same each time.
    fn next(seed: &mut u64) -> u64 {
        *seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        *seed >> 33
    }

    const TABLES: &str = "CREATE TABLE game_boards (id INTEGER PRIMARY KEY, game_id TEXT NOT NULL, bucket TEXT NOT NULL, \
         moved INTEGER NOT NULL DEFAULT 0, stamp INTEGER NOT NULL DEFAULT 0, players INTEGER NOT NULL DEFAULT 0) STRICT; \
         CREATE TABLE game_moves (board_id INTEGER NOT NULL, upto INTEGER NOT NULL, stamp INTEGER NOT NULL, moves BLOB NOT NULL, \
         PRIMARY KEY (board_id, upto)) STRICT; \
         CREATE TABLE game_standings (board_id INTEGER NOT NULL, user_id TEXT NOT NULL, points INTEGER NOT NULL, \
         reached_at INTEGER NOT NULL, listed INTEGER NOT NULL, PRIMARY KEY (user_id, board_id)) STRICT, WITHOUT ROWID;";

    struct World {
        conn: Conn,
        game: Uuid,
        seed: u64,
        places: HashMap<(i64, u64), Key>,
    }

    impl World {
        fn new(seed: u64) -> Self {
            let mut sqlite = SqliteConnection::establish(":memory:").unwrap();
            sqlite.batch_execute(TABLES).unwrap();
            let game = Uuid::from_bytes(clock::random().unwrap());
            let rows = format!(
                "INSERT INTO game_boards (id, game_id, bucket) VALUES (1, '{game}', 'all'), (2, '{game}', 'week:2026-11-23')"
            );
            sqlite.batch_execute(&rows).unwrap();
            Self { conn: Conn::Sqlite(sqlite), game, seed, places: HashMap::new() }
        }

        fn board(&mut self, id: i64) -> Board {
            let head = head(&mut self.conn, id).unwrap();
            Board { game: self.game, id, bucket: if id == 1 { "all" } else { "week:2026-11-23" }.into(), head }
        }

        /// Moves so many players, whose sums are stored as booking does.
        fn play(&mut self, size: u64, leaving: u64) {
            let mut moves = HashMap::new();
            for _ in 0..size {
                let place = (1 + i64::from(next(&mut self.seed).is_multiple_of(4)), next(&mut self.seed) % 3_000);
                let old = self.places.get(&place).copied();
                let leaves = next(&mut self.seed) % 10 < leaving;
                let points = i64::try_from(next(&mut self.seed) % 200).unwrap() - 20;
                let key = Key::new(points, DateTime::UNIX_EPOCH, Uuid::from_u128(u128::from(place.1) + 1));
                moves.entry(place).or_insert(Move { board: place.0, old, new: Some(key).filter(|_| !leaves) });
            }
            for (place, m) in &moves {
                match m.new {
                    Some(key) => self.places.insert(*place, key),
                    None => self.places.remove(place),
                };
            }
            let rows: Vec<_> = moves
                .values()
                .filter_map(|m| {
                    let key = m.new.or(m.old)?;
                    Some((
                        standings::board_id.eq(m.board),
                        standings::user_id.eq(Id(key.id())),
                        standings::points.eq(key.points()),
                        standings::reached_at.eq(crate::db::types::At(key.reached_at())),
                        standings::listed.eq(m.new.is_some()),
                    ))
                })
                .collect();
            let Conn::Sqlite(c) = &mut self.conn else { panic!() };
            for piece in rows.chunks(500) {
                diesel::replace_into(standings::table).values(piece).execute(c).unwrap();
            }
            apply(&mut self.conn, &moves.into_values().collect::<Vec<_>>()).unwrap();
        }

        fn sorted(&self, id: i64) -> Vec<Key> {
            let on = self.places.iter().filter(|((on, _), _)| *on == id).map(|(_, key)| *key);
            let mut keys: Vec<Key> = on.collect();
            keys.sort_unstable();
            keys
        }

        fn agrees(&mut self, id: i64) {
            let sorted = self.sorted(id);
            let board = self.board(id);
            let asked = sorted.get(sorted.len() / 2).copied();
            let (all, middle) = look(&mut self.conn, &board, |order| {
                (order.after(None, usize::MAX), asked.map(|key| order.before(&key)))
            })
            .unwrap();
            assert!(all == sorted, "{} listed, {} expected", all.len(), sorted.len());
            assert_eq!(middle, asked.map(|_| sorted.len() / 2));
            let players: i64 = boards::table.find(id).select(boards::players).first(&mut self.conn).unwrap();
            assert_eq!(usize::try_from(players).unwrap(), sorted.len());
        }
    }

    #[test]
    fn boards_agree_with_a_plain_sort_whoever_comes_moves_and_goes() {
        let mut world = World::new(7);
        world.agrees(1);
        for round in 0..40 {
            // Batches of all sizes; the later rounds take more players away than they bring.
            world.play(if round % 3 == 0 { 40 } else { 1_500 }, if round < 25 { 1 } else { 7 });
            world.agrees(1);
            if round % 7 == 0 {
                world.agrees(2);
            }
            if round % 5 == 0 {
                follow_all(&mut world.conn).unwrap();
            }
        }
    }

    #[test]
    fn who_was_away_for_long_puts_the_board_in_order_anew() {
        let mut world = World::new(3);
        world.play(1_000, 0);
        world.agrees(1);
        for _ in 0..60 {
            world.play(3_000, 2);
        }
        let kept: i64 = trail::table.filter(trail::board_id.eq(1)).count().get_result(&mut world.conn).unwrap();
        assert!(kept < 61, "old moves are forgotten");
        world.agrees(1);
        world.agrees(2);
    }

    #[test]
    fn what_is_rolled_back_never_counts() {
        let mut world = World::new(5);
        world.play(500, 0);
        world.agrees(1);
        let before = world.places.clone();
        world.conn.batch_execute("BEGIN").unwrap();
        world.play(300, 3);
        let board = world.board(1);
        let inside = within(&mut world.conn, &board, |order| order.after(None, usize::MAX)).unwrap();
        assert!(inside == world.sorted(1), "a transaction sees its own moves");
        world.conn.batch_execute("ROLLBACK").unwrap();
        world.places = before;
        world.agrees(1);
        world.play(300, 3);
        world.agrees(1);
        // A process that followed what was then lost, as after a failover, notices by the stamp or by the gap.
        let before = world.places.clone();
        world.conn.batch_execute("SAVEPOINT lost").unwrap();
        world.play(40, 0);
        world.agrees(1);
        world.agrees(2);
        world.conn.batch_execute("ROLLBACK TO lost").unwrap();
        world.places = before;
        world.play(80, 0);
        world.agrees(1);
        world.agrees(2);
    }

    #[test]
    fn moves_are_read_as_they_were_written() {
        let key = |n: u128| Key::new(5, DateTime::UNIX_EPOCH, Uuid::from_u128(n));
        let all = [(None, Some(key(1))), (Some(key(1)), None), (Some(key(2)), Some(key(3))), (None, None)];
        let mut bytes = Vec::new();
        for (old, new) in all {
            write(&mut bytes, &Move { board: 1, old, new });
        }
        assert_eq!(read(&bytes).unwrap(), all);
        assert_eq!(read(&bytes[..bytes.len() - 2]), None);
    }
}
