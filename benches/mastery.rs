//! The mastery of a class of 10,000 learners × 100 competencies: a page of 50 learners as the server makes it; a framework of 14,000
//! competencies: its import and a page of it.
//!
//! `cargo bench --bench mastery` on a fresh SQLite file; `DATABASE_URL=postgres://… cargo bench --bench mastery` on an empty Postgres
//! database. Times are of the whole use case without HTTP: access check, learners, values, and the answer as JSON text.
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
use cairn::config::Config;
use cairn::db::Conn;
use cairn::db::page::PageRequest;
use cairn::features::competencies::dto::{FrameworkIn, ImportQuery, MatrixQuery};
use cairn::features::competencies::service::{competencies, drafts, frameworks, importing, matrix};
use cairn::features::courses;
use cairn::http::{Conditions, Ref};
use cairn::state::State;
use clap::Parser;
use diesel::connection::SimpleConnection;
use serde_json::json;
use uuid::Uuid;

/// As the server has it.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

const LEARNERS: usize = 10_000;
const COMPETENCIES: usize = 100;

#[derive(Parser)]
struct Settings {
    #[command(flatten)]
    config: Config,
}

/// Median and 99th percentile in milliseconds.
fn percentiles(mut times: Vec<Duration>) -> String {
    times.sort_unstable();
    let at = |share: usize| times[(times.len() - 1) * share / 100].as_secs_f64() * 1000.0;
    format!("p50 {:.2} ms, p99 {:.2} ms", at(50), at(99))
}

/// Learners, their enrollments in the course, and a value for each of them and every competency of the framework.
fn fill(conn: &mut Conn, course: Uuid, framework: Uuid) {
    let (series, number, pad, now, id) = match conn {
        Conn::Sqlite(_) => (
            format!("WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < {LEARNERS})"),
            "FROM n",
            "printf('%012x', i)",
            "0",
            "",
        ),
        Conn::Pg(_) => (
            String::new(),
            "FROM (SELECT i FROM generate_series(1, 10000) AS g(i)) AS n",
            "lpad(to_hex(i), 12, '0')",
            "now()",
            "::uuid",
        ),
    };
    let user = format!("('00000000-0000-7000-8000-' || {pad}){id}");
    let enrollment = format!("('00000000-0000-7000-9000-' || {pad}){id}");
    conn.batch_execute(&format!(
        "INSERT INTO users (id, email, email_key, given_name, family_name, state, attributes, version, created_at, updated_at) \
         {series} SELECT {user}, i || '@example.org', i || '@example.org', 'Learner', 'N' || i, 'active', '{{}}', 1, {now}, {now} {number};"
    ))
    .expect("learners");
    conn.batch_execute(&format!(
        "INSERT INTO enrollments (id, course_id, user_id, revision, generation, status, source, enrolled_at, percent, done_weight, \
         total_weight, facts_tag, version, created_at, updated_at) \
         {series} SELECT {enrollment}, '{course}'{id}, {user}, 1, 1, 'active', 'self', {now}, 0, 0, 1, 1, 1, {now}, {now} {number};"
    ))
    .expect("enrollments");
    conn.batch_execute(&format!(
        "INSERT INTO mastery (user_id, competency_id, value, level, evidence_count, updated_at) \
         SELECT u.id, c.id, 0.1 * (c.position % 10), 'mastered', 3, {now} FROM users u CROSS JOIN competencies c \
         WHERE c.framework_id = '{framework}' AND u.given_name = 'Learner';"
    ))
    .expect("mastery");
    let analyze = if matches!(conn, Conn::Pg(_)) { "ANALYZE mastery; ANALYZE enrollments; ANALYZE users;" } else { "" };
    conn.batch_execute(analyze).expect("statistics");
}

fn matrix_of(state: &State) {
    let ctx = state.system();
    let list: Vec<_> = (0..COMPETENCIES)
        .map(|n| json!({"key": format!("c{n}"), "title": format!("Competency {n}"), "levels": [{"name": "mastered", "at_least": 0.8}]}))
        .collect();
    let input: FrameworkIn =
        serde_json::from_value(json!({"title": "Bench", "competencies": list})).expect("a framework");
    let course = serde_json::from_value(json!({"title": "Bench", "style": "linear_autoplay"})).expect("a course");
    let begin = Instant::now();
    let (course, framework) = state
        .db
        .write_here(move |conn| {
            let framework = frameworks::create(conn, &ctx, input)?.id;
            let course = courses::create(conn, &ctx, course)?.id;
            let page = PageRequest { limit: 200, after: None };
            let query = serde_json::from_value(json!({"framework_id": framework})).expect("a query");
            let links: Vec<_> =
                competencies::list(conn, &ctx, &query, &page)?.items.into_iter().map(|c| json!({"id": c.id})).collect();
            let outline = json!({"stages": [{"kind": "sequence", "key": "s", "modules": [
                {"key": "a", "title": "A", "kind": "article", "content": {}, "competencies": links}]}]});
            let outline = serde_json::from_value(outline).expect("an outline");
            courses::replace_outline(conn, &ctx, &Ref::Id(course), outline, &Conditions::default())?;
            let publish = serde_json::from_value(json!({})).expect("nothing to say");
            courses::publish(conn, &ctx, &Ref::Id(course), publish, &Conditions::default())?;
            Ok((course, framework))
        })
        .expect("a course");
    state
        .db
        .write_here(move |conn| {
            fill(conn, course, framework);
            Ok(())
        })
        .expect("a class");
    println!("{} values written in {:.1} s", LEARNERS * COMPETENCIES, begin.elapsed().as_secs_f64());
    for limit in [1, 50, 200] {
        let mut after = None;
        let times = (0..100)
            .map(|_| {
                let ctx = state.system();
                let page = PageRequest { limit, after };
                let begin = Instant::now();
                let found = state
                    .db
                    .read_here(move |conn| matrix::page(conn, &ctx, &Ref::Id(course), &MatrixQuery::default(), &page))
                    .expect("a page");
                let text = serde_json::to_string(&found).expect("JSON");
                let took = begin.elapsed();
                assert!(!text.is_empty() && found.items.iter().all(|row| row.mastery.iter().all(Option::is_some)));
                after = found.items.last().map(|row| row.user_id).filter(|_| found.next.is_some());
                took
            })
            .collect();
        println!("matrix, {limit:>3} of {LEARNERS} learners × {COMPETENCIES}: {}", percentiles(times));
    }
}

fn import_of(state: &State) {
    let mut text = "key,title,parent,kind,description\n".to_owned();
    for i in 0..14_000_usize {
        let parent = if i < 10 { String::new() } else { format!("http://data.example/skill/{}", (i - 10) / 10) };
        text.push_str(&format!(
            "http://data.example/skill/{i},Skill number {i},{parent},skill,\"To be able to do thing {i} under supervision, as those who describe skills put it.\"\n"
        ));
    }
    let query = ImportQuery { title: Some("Large".into()), ..ImportQuery::default() };
    let begin = Instant::now();
    let draft = drafts::read(drafts::Format::Csv, text.as_bytes(), &query).expect("a draft");
    let read = begin.elapsed();
    let ctx = state.system();
    let made = state.db.write_here(move |conn| importing::import(conn, &ctx, &draft, &query)).expect("an import");
    let whole = begin.elapsed();
    println!(
        "import of {} competencies: {:.2} s, of which reading {:.2} s",
        made.added,
        whole.as_secs_f64(),
        read.as_secs_f64()
    );
    let query = serde_json::from_value(json!({"framework_id": made.framework.id})).expect("a query");
    let mut after = None;
    let query: std::sync::Arc<cairn::features::competencies::dto::CompetencyQuery> = std::sync::Arc::new(query);
    let times = (0..70)
        .map(|_| {
            let (ctx, page, query) = (state.system(), PageRequest { limit: 200, after }, std::sync::Arc::clone(&query));
            let begin = Instant::now();
            let found = state.db.read_here(move |conn| competencies::list(conn, &ctx, &query, &page)).expect("a page");
            after = found.items.last().map(|row| row.id);
            begin.elapsed()
        })
        .collect();
    println!("a page of 200 of them: {}", percentiles(times));
}

fn main() {
    let folder = tempfile::tempdir().expect("a folder");
    let url = std::env::var("DATABASE_URL").unwrap_or_else(|_| format!("sqlite:{}/bench.db", folder.path().display()));
    let config =
        Settings::parse_from(["bench", "--database-url", &url, "--admin-password", "bench-bench-bench-1"]).config;
    let state = app::open_with_admin(config).expect("the database");
    let kind = if cfg!(debug_assertions) { "debug" } else { "release" };
    println!("{kind} build, {}", if url.starts_with("postgres") { "Postgres" } else { "SQLite" });
    matrix_of(&state);
    import_of(&state);
    state.db.close();
}
