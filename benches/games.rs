//! Leaderboards at 10⁴, 10⁵ and 10⁶ players: my rank with neighbours, the top 50, and points added per second.
//!
//! `cargo bench --bench games` on a fresh SQLite file; `DATABASE_URL=postgres://… cargo bench --bench games` on an empty
//! Postgres database. `GAMES_SIZES=10000,100000` tries fewer players, `GAMES_BATCH` another number of entries a transaction than
//! 2,000, which is what the dispatcher comes to with a backlog (it starts with 500). Every time is of the whole use case as the server runs it:
//! access check, ranks, names. A page is 50 places.
#![allow(
    clippy::indexing_slicing,
    missing_docs,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::as_conversions,
    reason = "a program to measure with"
)]

use std::time::{Duration, Instant};

use cairn::app;
use cairn::clock::new_id;
use cairn::config::Config;
use cairn::db::Conn;
use cairn::domain::permission::{Actor, Grant, Reach, Role};
use cairn::features::games::dto::{Around, BoardQuery, GameIn};
use cairn::features::games::service::{booking, game, leaderboard};
use cairn::state::{Ctx, State};
use clap::Parser;
use diesel::connection::SimpleConnection;
use uuid::Uuid;

/// As the server has it.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

#[derive(Parser)]
struct Settings {
    #[command(flatten)]
    config: Config,
}

/// Users `from..to`, whose ids are their numbers.
fn people(conn: &mut Conn, from: usize, to: usize) {
    let id = |n: &str| format!("'00000000-0000-7000-8000-' || {n}");
    let columns = "INSERT INTO users (id, email, email_key, given_name, family_name, state, attributes, version, created_at, updated_at)";
    let sql = match conn {
        Conn::Sqlite(_) => format!(
            "WITH RECURSIVE n(i) AS (SELECT {from} UNION ALL SELECT i + 1 FROM n WHERE i + 1 < {to}) {columns} \
             SELECT {}, i || '@example.org', i || '@example.org', 'Player', i, 'active', '{{}}', 1, 0, 0 FROM n",
            id("printf('%012x', i)")
        ),
        Conn::Pg(_) => format!(
            "{columns} SELECT ({})::uuid, i || '@example.org', i || '@example.org', 'Player', i::text, 'active', '{{}}', 1, now(), now() \
             FROM generate_series({from}, {}) AS g(i)",
            id("lpad(to_hex(i), 12, '0')"),
            to - 1
        ),
    };
    conn.batch_execute(&sql).expect("people");
}

fn user(n: usize) -> Uuid {
    Uuid::parse_str(&format!("00000000-0000-7000-8000-{n:012x}")).expect("an id")
}

/// Lets Postgres know how large its tables have become, as its autovacuum does within a minute.
fn know(state: &State) {
    let analyze = |conn: &mut Conn| match conn {
        Conn::Pg(_) => Ok(conn.batch_execute("ANALYZE")?),
        Conn::Sqlite(_) => Ok(()),
    };
    state.db.write_here(analyze).expect("statistics");
}

/// A generator that gives the same numbers on every run.
struct Random(u64);

impl Random {
    fn below(&mut self, n: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % n
    }
}

/// Adds an entry for each of these users, so many in a transaction. Answers how long that took, and the longest transaction.
fn add(state: &State, id: Uuid, users: &[usize], batch: usize, random: &mut Random) -> (Duration, Duration) {
    let ctx = state.system();
    let begin = Instant::now();
    let mut longest = Duration::ZERO;
    for piece in users.chunks(batch) {
        let started = Instant::now();
        let entries: Vec<booking::New> = piece
            .iter()
            .map(|n| booking::New {
                user: user(*n),
                team: None,
                points: 1 + random.below(50) as i64,
                kind: "rule",
                rule: Some("bench".into()),
                reason: "module.completed".into(),
                event: Some(new_id(ctx.now)),
                corrects: None,
                dedup: None,
                at: state.clock.now(),
                follows: false,
            })
            .collect();
        let ctx = ctx.clone();
        state
            .db
            .write_here(move |conn| {
                let game = cairn::features::games::service::find_locked(
                    conn,
                    &ctx,
                    id,
                    cairn::domain::permission::Act::RefereeGame,
                )?;
                booking::book(conn, &ctx, &game, entries).map(drop)
            })
            .expect("points");
        longest = longest.max(started.elapsed());
    }
    (begin.elapsed(), longest)
}

/// Median and 99th percentile in microseconds.
fn percentiles(mut times: Vec<Duration>) -> (u128, u128) {
    times.sort_unstable();
    let at = |share: usize| times[(times.len() - 1) * share / 100].as_micros();
    (at(50), at(99))
}

fn measure(state: &State, id: Uuid, players: usize, random: &mut Random, query: &BoardQuery) -> (u128, u128) {
    let times = (0..300)
        .map(|_| {
            let who = user(random.below(players as u64) as usize);
            let grants = vec![Grant { role: Role::Learner, reach: Reach::Site }];
            let ctx = Ctx { actor: Actor::User { id: who, grants }, ..state.system() };
            let query = query.clone();
            let begin = Instant::now();
            let board = state.db.read_here(move |conn| leaderboard::get(conn, &ctx, id, &query)).expect("a board");
            let took = begin.elapsed();
            assert!(!board.items.is_empty() && board.total == players as i64);
            took
        })
        .collect();
    percentiles(times)
}

fn main() {
    let folder = tempfile::tempdir().expect("a folder");
    let url = std::env::var("DATABASE_URL").unwrap_or_else(|_| format!("sqlite:{}/bench.db", folder.path().display()));
    let config =
        Settings::parse_from(["bench", "--database-url", &url, "--admin-password", "bench-bench-bench-1"]).config;
    let state = app::open_with_admin(config).expect("the database");
    let sizes = std::env::var("GAMES_SIZES").unwrap_or_else(|_| "10000,100000,1000000".into());
    let batch: usize = std::env::var("GAMES_BATCH").map_or(2_000, |n| n.parse().expect("a number"));
    let ctx = state.system();
    let input: GameIn = serde_json::from_value(serde_json::json!({"title": "Bench"})).expect("a game");
    let id = state.db.write_here(move |conn| game::create(conn, &ctx, input)).expect("a game").id;
    let mut random = Random(42);
    let mut have = 0;
    println!(
        "{:>9}  {:>22}  {:>22}  {:>14}  {:>14}  {:>10}",
        "players", "around me p50/p99 µs", "top 50 p50/p99 µs", "new players/s", "points added/s", "longest ms"
    );
    for size in sizes.split(',').map(|n| n.trim().parse::<usize>().expect("a number")) {
        state
            .db
            .write_here(move |conn| {
                people(conn, have, size);
                Ok(())
            })
            .expect("people");
        know(&state);
        let new: Vec<usize> = (have..size).collect();
        let (entering, _) = add(&state, id, &new, batch, &mut random);
        know(&state);
        let again: Vec<usize> = (0..40_000).map(|_| random.below(size as u64) as usize).collect();
        let (adding, longest) = add(&state, id, &again, batch, &mut random);
        have = size;
        let around =
            measure(&state, id, size, &mut random, &BoardQuery { around: Some(Around::Me), ..BoardQuery::default() });
        let top = measure(&state, id, size, &mut random, &BoardQuery { limit: Some(50), ..BoardQuery::default() });
        println!(
            "{size:>9}  {:>22}  {:>22}  {:>14.0}  {:>14.0}  {:>10}",
            format!("{} / {}", around.0, around.1),
            format!("{} / {}", top.0, top.1),
            new.len() as f64 / entering.as_secs_f64(),
            again.len() as f64 / adding.as_secs_f64(),
            longest.as_millis(),
        );
    }
    state.db.close();
}
