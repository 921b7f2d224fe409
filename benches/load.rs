//! The load program: `cargo bench --bench load`.
//!
//! In one run on one machine it measures a bare actix server that answers a tiny JSON, then Cairn's hot operations with
//! authentication, access rules and event log, over keep-alive HTTP/1.1 at several concurrencies, and prints requests per second,
//! p50, p99, and the ratio to the bare one at the same concurrency. Server, database and this program share the machine's cores.
//!
//! `LOAD_DATABASE_URL=postgres://…` runs it on a database of that address (which must be empty) in place of a fresh SQLite file.
//! `LOAD_SECONDS` is the length of each measurement (2 when absent); `LOAD_COURSE` a course to load in place of a generated one.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::as_conversions,
    clippy::disallowed_methods,
    reason = "a program that measures, and stops at the first surprise"
)]

use std::cell::{Cell, RefCell};
use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};
use std::rc::Rc;
use std::time::{Duration, Instant};

use actix_web::{App, HttpResponse, HttpServer, web};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

const CONCURRENCIES: [usize; 4] = [1, 4, 16, 64];
const ADMIN: (&str, &str) = ("admin@example.org", "correct-horse-battery-staple-7");
const LEARNERS: usize = 64;

fn main() {
    if std::env::args().any(|argument| argument == "bare") {
        return bare();
    }
    let bare = start_bare();
    let cairn = start_cairn();
    let idle = memory(cairn.process.id(), "VmRSS");
    let world = prepare(&cairn.base);
    println!("\nidle server: {idle:.1} MiB resident\n");
    println!("| request | bytes | c | requests/s | p50 µs | p99 µs | of bare |");
    println!("|---|---|---|---|---|---|---|");
    let mut bare_rates = Vec::new();
    for c in CONCURRENCIES {
        let result = measure(&bare.base, c, Rc::new(|_, _| get("/", None)));
        bare_rates.push(result.rate());
        result.print("bare actix, tiny JSON", c, result.rate());
    }
    for (name, request) in requests(&world) {
        for (c, bare) in CONCURRENCIES.into_iter().zip(&bare_rates) {
            measure(&cairn.base, c, Rc::clone(&request)).print(name, c, *bare);
        }
    }
    println!(
        "\nunder load: {:.1} MiB resident, {:.1} MiB at most",
        memory(cairn.process.id(), "VmRSS"),
        memory(cairn.process.id(), "VmHWM")
    );
}

/// A server in a process of its own, ended with this value.
struct Server {
    process: Child,
    base: String,
    _folder: Option<tempfile::TempDir>,
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

fn bare() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    println!("{}", listener.local_addr().unwrap());
    actix_web::rt::System::new()
        .block_on(async move {
            let answer =
                || async { HttpResponse::Ok().json(json!({"id": 17, "name": "Ada Lovelace", "active": true})) };
            HttpServer::new(move || App::new().route("/", web::get().to(answer))).listen(listener).unwrap().run().await
        })
        .unwrap();
}

fn start_bare() -> Server {
    let mut process =
        Command::new(std::env::current_exe().unwrap()).arg("bare").stdout(Stdio::piped()).spawn().unwrap();
    let mut line = String::new();
    BufReader::new(process.stdout.take().unwrap()).read_line(&mut line).unwrap();
    Server { process, base: line.trim().to_owned(), _folder: None }
}

fn start_cairn() -> Server {
    let folder = tempfile::tempdir().unwrap();
    let base = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().to_string();
    let sqlite = format!("sqlite:{}", folder.path().join("cairn.db").display());
    let process = Command::new(env!("CARGO_BIN_EXE_cairn"))
        .arg("serve")
        .env("DATABASE_URL", std::env::var("LOAD_DATABASE_URL").unwrap_or(sqlite))
        .env("CAIRN_LISTEN", &base)
        .env("CAIRN_ADMIN_EMAIL", ADMIN.0)
        .env("CAIRN_ADMIN_PASSWORD", ADMIN.1)
        .env("CAIRN_ACCESS_TOKEN_SECONDS", "86400")
        .env("RUST_LOG", "warn")
        .stdout(Stdio::null())
        .spawn()
        .unwrap();
    let server = Server { process, base, _folder: Some(folder) };
    let begun = Instant::now();
    while ureq::get(format!("http://{}/readyz", server.base)).call().is_err() {
        assert!(begun.elapsed() < Duration::from_secs(30), "Cairn does not become ready");
        std::thread::sleep(Duration::from_millis(50));
    }
    std::thread::sleep(Duration::from_secs(1));
    server
}

fn memory(process: u32, field: &str) -> f64 {
    let status = std::fs::read_to_string(format!("/proc/{process}/status")).unwrap_or_default();
    let line = status.lines().find(|line| line.starts_with(field)).unwrap_or_default();
    line.split_whitespace().nth(1).and_then(|kib| kib.parse::<f64>().ok()).unwrap_or_default() / 1024.0
}

/// What was made before the measurement.
struct World {
    token: String,
    large: String,
    medium: String,
    tag: String,
    /// Token and enrollment of each learner, and the modules that they watch.
    learners: Vec<(String, String)>,
}

fn call(base: &str, token: Option<&str>, method: &str, path: &str, body: Option<Value>) -> (Value, Option<String>) {
    let mut request = ureq::http::Request::builder().method(method).uri(format!("http://{base}{path}"));
    if let Some(token) = token {
        request = request.header("authorization", format!("Bearer {token}"));
    }
    let response = match body {
        Some(body) => ureq::run(request.header("content-type", "application/json").body(body.to_string()).unwrap()),
        None => ureq::run(request.body(()).unwrap()),
    };
    let mut response = response.unwrap_or_else(|error| panic!("{method} {path}: {error}"));
    let tag = response.headers().get("etag").map(|tag| tag.to_str().unwrap().to_owned());
    let text = response.body_mut().with_config().limit(64 << 20).read_to_string().unwrap();
    (serde_json::from_str(&text).unwrap_or(Value::Null), tag)
}

fn log_in(base: &str, email: &str, password: &str) -> String {
    let (session, _) = call(base, None, "POST", "/v1/sessions", Some(json!({"email": email, "password": password})));
    session["access_token"].as_str().unwrap().to_owned()
}

fn course(base: &str, admin: &str, fields: Value, outline: Value) -> String {
    let (made, _) = call(base, Some(admin), "POST", "/v1/courses", Some(fields));
    let id = made["id"].as_str().unwrap().to_owned();
    call(base, Some(admin), "PUT", &format!("/v1/courses/{id}/outline"), Some(outline));
    call(base, Some(admin), "POST", &format!("/v1/courses/{id}/publish"), Some(json!({})));
    id
}

/// A course of so many articles in any order and a final quiz.
fn articles(count: usize) -> Value {
    let mut modules: Vec<Value> = (1..count)
        .map(|n| json!({"key": format!("m{n}"), "title": format!("Module {n} of the course"), "kind": "article", "content": {"markdown": "Text."}}))
        .collect();
    modules.push(json!({"key": "end", "title": "The end", "kind": "quiz", "role": "final", "content": {"items": [
        {"key": "q", "type": "true_false", "prompt": "?", "points": 1, "answer": true}]}}));
    json!({"stages": [{"kind": "sequence", "key": "s", "order": "any", "modules": modules}]})
}

fn videos() -> Value {
    let mut outline = articles(2);
    let modules = outline["stages"][0]["modules"].as_array_mut().unwrap();
    for n in 0..60 {
        modules.insert(0, json!({"key": format!("v{n}"), "title": format!("Film {n}"), "kind": "video", "content": {"url": "https://media.example.org/v.mp4", "duration_seconds": 100_000}}));
    }
    outline
}

fn enroll(base: &str, token: &str, course: &str) -> String {
    let (made, _) = call(base, Some(token), "POST", &format!("/v1/courses/{course}/enrollments"), Some(json!({})));
    made["id"].as_str().unwrap().to_owned()
}

fn event(module: &str, n: u128) -> Value {
    json!({"id": uuid::Uuid::from_u128(n), "type": "opened", "module": module})
}

fn prepare(base: &str) -> World {
    let admin = log_in(base, ADMIN.0, ADMIN.1);
    let given = std::env::var("LOAD_COURSE").unwrap_or_else(|_| "../shared/data/openedx-demo-course.json".into());
    let (fields, outline, what) = match std::fs::read_to_string(&given) {
        Ok(text) => {
            let whole: Value = serde_json::from_str(&text).unwrap();
            (whole["course"].clone(), whole["outline"].clone(), "a real course")
        }
        Err(_) => (json!({"title": "Large", "style": "random_access"}), articles(286), "a generated course"),
    };
    let count: usize =
        outline["stages"].as_array().unwrap().iter().filter_map(|s| s["modules"].as_array()).map(Vec::len).sum();
    println!("{what} of {count} modules");
    let first = outline["stages"][0]["modules"][0]["key"].as_str().unwrap().to_owned();
    let large = course(base, &admin, fields, outline);
    let medium = course(base, &admin, json!({"title": "Medium", "style": "random_access"}), articles(65));
    let films = course(base, &admin, json!({"title": "Films", "style": "random_access"}), videos());
    let mut learners = Vec::new();
    for n in 0..LEARNERS {
        let email = format!("learner{n}@example.org");
        let body = json!({"email": email, "given_name": "Learner", "family_name": n.to_string(), "password": "a-long-password"});
        call(base, Some(&admin), "POST", "/v1/users", Some(body));
        let token = log_in(base, &email, "a-long-password");
        let enrollment = enroll(base, &token, &films);
        learners.push((token, enrollment));
    }
    let token = learners[0].0.clone();
    let (large, medium) = (enroll(base, &token, &large), enroll(base, &token, &medium));
    call(base, Some(&token), "POST", &format!("/v1/enrollments/{large}/events"), Some(event(&first, 1)));
    let some: Vec<Value> = (1..30).map(|n| event(&format!("m{n}"), n)).collect();
    call(base, Some(&token), "POST", &format!("/v1/enrollments/{medium}/events"), Some(json!({ "events": some })));
    let (_, tag) = call(base, Some(&token), "GET", &format!("/v1/enrollments/{large}/path"), None);
    World { token, large, medium, tag: tag.unwrap(), learners }
}

/// Makes the bytes of a request for connection `n`, the `i`th time.
type Make = Rc<dyn Fn(usize, u64) -> Vec<u8>>;

fn get(path: &str, token: Option<&str>) -> Vec<u8> {
    let token = token.map(|token| format!("authorization: Bearer {token}\r\n")).unwrap_or_default();
    format!("GET {path} HTTP/1.1\r\nhost: localhost\r\n{token}\r\n").into_bytes()
}

fn requests(world: &World) -> Vec<(&'static str, Make)> {
    let fixed = |bytes: Vec<u8>| -> Make { Rc::new(move |_, _| bytes.clone()) };
    let token = Some(world.token.as_str());
    let path = |id: &str| format!("/v1/enrollments/{id}/path");
    let mut known = get(&path(&world.large), token);
    known.truncate(known.len() - 2);
    known.extend(format!("if-none-match: {}\r\n\r\n", world.tag).bytes());
    let learners = world.learners.clone();
    // Each connection is a learner of its own, and each event a part of a film that was not seen yet.
    let run = Cell::new(1_u64);
    let events: Make = Rc::new(move |n, i| {
        let (token, enrollment) = &learners[n % learners.len()];
        run.set(run.get() + 1);
        let from = (i * 3) % 90_000;
        let body = format!(
            r#"{{"id":"{}","type":"watched","module":"v{}","from_seconds":{from},"to_seconds":{}}}"#,
            uuid::Uuid::from_u64_pair(run.get(), u64::from(std::process::id())),
            i / 30_000 % 60,
            from + 2
        );
        format!(
            "POST /v1/enrollments/{enrollment}/events HTTP/1.1\r\nhost: localhost\r\nauthorization: Bearer {token}\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n{body}",
            body.len()
        )
        .into_bytes()
    });
    vec![
        ("GET /v1/enrollments/{id}", fixed(get(&format!("/v1/enrollments/{}", world.large), token))),
        ("GET …/path, 65 modules", fixed(get(&path(&world.medium), token))),
        ("GET …/path, large course", fixed(get(&path(&world.large), token))),
        ("the same, known (304)", fixed(known)),
        ("POST …/events, durable", events),
    ]
}

struct Measured {
    micros: Vec<u32>,
    seconds: f64,
    errors: u64,
    bytes: usize,
}

impl Measured {
    fn rate(&self) -> f64 {
        self.micros.len() as f64 / self.seconds
    }

    fn print(&self, name: &str, c: usize, bare: f64) {
        let mut sorted = self.micros.clone();
        sorted.sort_unstable();
        let at = |share: f64| {
            sorted
                .get(((sorted.len() as f64 * share) as usize).min(sorted.len().saturating_sub(1)))
                .copied()
                .unwrap_or(0)
        };
        let errors = if self.errors > 0 { format!("  ERRORS: {}", self.errors) } else { String::new() };
        println!(
            "| {name} | {} | {c} | {:.0} | {} | {} | {:.3} |{errors}",
            self.bytes,
            self.rate(),
            at(0.5),
            at(0.99),
            self.rate() / bare
        );
    }
}

/// Keeps `c` connections busy for a while.
fn measure(base: &str, c: usize, make: Make) -> Measured {
    let seconds = std::env::var("LOAD_SECONDS").ok().and_then(|s| s.parse().ok()).unwrap_or(2.0);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let all = Rc::new(RefCell::new(Vec::with_capacity(1 << 18)));
    let (errors, bytes) = (Rc::new(Cell::new(0)), Rc::new(Cell::new(0)));
    let begin = Instant::now() + Duration::from_millis(300);
    let end = begin + Duration::from_secs_f64(seconds);
    let tasks = tokio::task::LocalSet::new();
    for n in 0..c {
        let (all, errors, bytes, make, base) =
            (Rc::clone(&all), Rc::clone(&errors), Rc::clone(&bytes), Rc::clone(&make), base.to_owned());
        tasks.spawn_local(async move {
            let mut stream = TcpStream::connect(base).await.unwrap();
            stream.set_nodelay(true).unwrap();
            let mut buffer = vec![0; 1 << 16];
            for i in 0.. {
                let request = make(n, i);
                let sent = Instant::now();
                if sent >= end {
                    break;
                }
                stream.write_all(&request).await.unwrap();
                let (status, length) = answer(&mut stream, &mut buffer).await;
                if sent >= begin {
                    all.borrow_mut().push(u32::try_from(sent.elapsed().as_micros()).unwrap_or(u32::MAX));
                    bytes.set(length);
                    if !(200..305).contains(&status) {
                        errors.set(errors.get() + 1);
                    }
                }
            }
        });
    }
    runtime.block_on(tasks);
    let micros = all.borrow().clone();
    Measured { micros, seconds, errors: errors.get(), bytes: bytes.get() }
}

/// Reads one answer; its status and the length of its body.
async fn answer(stream: &mut TcpStream, buffer: &mut Vec<u8>) -> (u16, usize) {
    let mut have = 0;
    let mut whole: Option<(u16, usize, usize)> = None;
    loop {
        if have == buffer.len() {
            buffer.resize(buffer.len() * 2, 0);
        }
        let read = stream.read(&mut buffer[have..]).await.unwrap();
        assert!(read > 0, "the server closed the connection");
        have += read;
        if whole.is_none()
            && let Some(end) = buffer[..have].windows(4).position(|w| w == b"\r\n\r\n")
        {
            let head = std::str::from_utf8(&buffer[..end]).unwrap();
            let status: u16 = head.get(9..12).unwrap().parse().unwrap();
            let length = head
                .lines()
                .find_map(|line| line.split_once(':').filter(|(name, _)| name.eq_ignore_ascii_case("content-length")))
                .map_or(0, |(_, length)| length.trim().parse().unwrap());
            whole = Some((status, length, end + 4));
        }
        if let Some((status, length, start)) = whole
            && have >= start + length
        {
            return (status, length);
        }
    }
}
