//! What the load falls on: two courses, learners half-way through them; and the requests.

use std::io::Write;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;

use serde_json::{Value, json};

use super::drive::{Connection, Target};
use super::server::ADMIN;

/// As many as there are connections at most, so that each has its own learner.
const LEARNERS: usize = 64;
const LARGE: usize = 286;
const SMALL: usize = 65;
/// So long that no run of this program comes to its end: each second watched changes the record.
const VIDEO_SECONDS: f64 = 864_000.0;

pub struct Learner {
    token: String,
    large: String,
    small: String,
}

pub struct World {
    pub learners: Arc<Vec<Learner>>,
    pub large: usize,
    pub small: usize,
    tag: String,
}

/// A request and its name.
pub struct Case {
    pub name: &'static str,
    pub target: Target,
}

/// Writes a GET.
pub fn get(path: &str, token: &str, headers: &[(&str, &str)], out: &mut Vec<u8>) {
    request("GET", path, token, headers, b"", out);
}

fn request(method: &str, path: &str, token: &str, headers: &[(&str, &str)], body: &[u8], out: &mut Vec<u8>) {
    write!(out, "{method} {path} HTTP/1.1\r\nHost: localhost\r\n").expect("memory");
    if !token.is_empty() {
        write!(out, "Authorization: Bearer {token}\r\n").expect("memory");
    }
    for (name, value) in headers {
        write!(out, "{name}: {value}\r\n").expect("memory");
    }
    if method != "GET" {
        write!(out, "Content-Type: application/json\r\nContent-Length: {}\r\n", body.len()).expect("memory");
    }
    out.extend_from_slice(b"\r\n");
    out.extend_from_slice(body);
}

/// A client for the set-up.
struct Client {
    connection: Connection,
    token: String,
}

impl Client {
    fn call(&mut self, method: &str, path: &str, body: &Value) -> Value {
        let mut bytes = Vec::new();
        request(method, path, &self.token, &[], body.to_string().as_bytes(), &mut bytes);
        let (status, answer) = self.connection.ask(&bytes);
        assert!((200..300).contains(&status), "{method} {path}: {status} {}", String::from_utf8_lossy(answer));
        serde_json::from_slice(answer).unwrap_or(Value::Null)
    }

    fn login(address: SocketAddr, email: &str, password: &str) -> Self {
        let mut client = Self { connection: Connection::open(address), token: String::new() };
        let session = client.call("POST", "/v1/sessions", &json!({"email": email, "password": password}));
        client.token = text(&session, "access_token");
        client
    }
}

fn text(value: &Value, name: &str) -> String {
    value[name].as_str().unwrap_or_else(|| panic!("no {name} in {value}")).to_owned()
}

/// An outline of so many modules: videos, articles and quizzes in sequences of about ten, and the long video first.
fn outline(modules: usize) -> Value {
    let module = |n: usize| match n {
        0 => json!({"key": "m0", "title": "The long video", "kind": "video",
            "content": {"url": "https://media.example/long.mp4", "duration_seconds": VIDEO_SECONDS}}),
        n if n % 10 == 9 => {
            json!({"key": format!("m{n}"), "title": format!("Check {n}"), "kind": "quiz", "role": "hurdle",
            "content": {"pass_percent": 50, "items": [{"key": "q", "type": "single_choice", "prompt": "Which?", "points": 1,
                "choices": [{"key": "a", "text": "This", "correct": true}, {"key": "b", "text": "That"}]}]}})
        }
        n if n % 3 == 0 => json!({"key": format!("m{n}"), "title": format!("Video {n}"), "kind": "video",
            "content": {"url": "https://media.example/v.mp4", "duration_seconds": 300}}),
        n => json!({"key": format!("m{n}"), "title": format!("Reading {n}"), "kind": "article",
            "content": {"markdown": "A few words to read."}}),
    };
    let all: Vec<Value> = (0..modules).map(module).collect();
    let stages: Vec<Value> = all
        .chunks(10)
        .enumerate()
        .map(|(n, part)| json!({"kind": "sequence", "key": format!("s{n}"), "title": format!("Part {n}"), "order": "linear", "modules": part}))
        .collect();
    json!({"stages": stages})
}

fn keys(outline: &Value) -> Vec<String> {
    let stages = outline["stages"].as_array().expect("stages");
    stages.iter().flat_map(|stage| stage["modules"].as_array().expect("modules")).map(|m| text(m, "key")).collect()
}

fn publish(admin: &mut Client, course: &Value, outline: &Value) -> String {
    let id = text(&admin.call("POST", "/v1/courses", course), "id");
    admin.call("PUT", &format!("/v1/courses/{id}/outline"), outline);
    admin.call("POST", &format!("/v1/courses/{id}/publish"), &json!({}));
    id
}

impl World {
    pub fn make(base: &str, course: Option<&Path>) -> Self {
        let address: SocketAddr = base.trim_start_matches("http://").parse().expect("an address");
        let made = |title: &str, modules| {
            let course = json!({"title": title, "style": "linear_hurdles", "delivery_mode": "self_paced"});
            json!({"course": course, "outline": outline(modules)})
        };
        let large = course.map_or_else(
            || made("The large course", LARGE),
            |file| serde_json::from_slice(&std::fs::read(file).expect("the course's file")).expect("JSON"),
        );
        let small = made("The small course", SMALL);
        let mut admin = Client::login(address, ADMIN.0, ADMIN.1);
        let courses = [&large, &small].map(|c| (publish(&mut admin, &c["course"], &c["outline"]), keys(&c["outline"])));
        let admin_token = admin.token;
        let learners: Vec<Learner> = std::thread::scope(|scope| {
            let threads: Vec<_> = (0..8)
                .map(|part| {
                    let (courses, token) = (&courses, admin_token.clone());
                    scope.spawn(move || {
                        let mut admin = Client { connection: Connection::open(address), token };
                        (part..LEARNERS)
                            .step_by(8)
                            .map(|n| learner(address, &mut admin, n, courses))
                            .collect::<Vec<_>>()
                    })
                })
                .collect();
            threads.into_iter().flat_map(|thread| thread.join().expect("learners")).collect()
        });
        let mut bytes = Vec::new();
        get(&format!("/v1/enrollments/{}/path", learners[0].large), &learners[0].token, &[], &mut bytes);
        let tag = tag_of(address, &bytes);
        Self { learners: Arc::new(learners), large: courses[0].1.len(), small: courses[1].1.len(), tag }
    }

    /// Every request that is measured, on this server.
    pub fn cases(&self, address: SocketAddr) -> Vec<Case> {
        let reading = |name, path: fn(&Learner) -> String| {
            let ready: Vec<Vec<u8>> = self
                .learners
                .iter()
                .map(|learner| {
                    let mut bytes = Vec::new();
                    get(&path(learner), &learner.token, &[], &mut bytes);
                    bytes
                })
                .collect();
            let target = Target::new(address, move |connection, n, out| {
                out.extend_from_slice(&ready[(connection + n as usize * 7) % ready.len()]);
            });
            Case { name, target }
        };
        let mut known = Vec::new();
        let first = &self.learners[0];
        let headers = [("If-None-Match", self.tag.as_str())];
        get(&format!("/v1/enrollments/{}/path", first.large), &first.token, &headers, &mut known);
        let learners = Arc::clone(&self.learners);
        // Seconds that were watched already in this run would change nothing.
        let run =
            std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).expect("a clock").as_nanos() as u64;
        static WATCHED: [std::sync::atomic::AtomicU64; LEARNERS] =
            [const { std::sync::atomic::AtomicU64::new(0) }; LEARNERS];
        let event = Target::new(address, move |connection, n, out| {
            let who = (connection + n as usize * 7) % learners.len();
            let second = WATCHED[who].fetch_add(1, std::sync::atomic::Ordering::Relaxed);
            let id = uuid::Uuid::from_u64_pair(run ^ who as u64, second);
            let body = format!(
                r#"{{"id":"{id}","type":"watched","module":"m0","from_seconds":{second},"to_seconds":{}}}"#,
                second + 1
            );
            let learner = &learners[who];
            request(
                "POST",
                &format!("/v1/enrollments/{}/events", learner.small),
                &learner.token,
                &[],
                body.as_bytes(),
                out,
            );
        });
        vec![
            reading("GET enrollment", |l| format!("/v1/enrollments/{}", l.large)),
            reading("GET path, large course", |l| format!("/v1/enrollments/{}/path", l.large)),
            reading("GET path, 65 modules", |l| format!("/v1/enrollments/{}/path", l.small)),
            Case {
                name: "GET path, known (304)",
                target: Target::new(address, move |_, _, out| out.extend_from_slice(&known)),
            },
            Case { name: "POST event, durable", target: event },
        ]
    }
}

/// Somebody half-way through both courses.
fn learner(address: SocketAddr, admin: &mut Client, n: usize, courses: &[(String, Vec<String>); 2]) -> Learner {
    let (email, password) = (format!("learner{n}@example.org"), "load-test-learner-7");
    let person = json!({"email": email, "given_name": "Learner", "family_name": n.to_string(), "password": password});
    admin.call("POST", "/v1/users", &person);
    let mut me = Client::login(address, &email, password);
    let [large, small] = [0, 1].map(|which| {
        let (course, keys) = &courses[which];
        let id = text(&me.call("POST", &format!("/v1/courses/{course}/enrollments"), &json!({})), "id");
        // The small course's long video stays open for the load.
        for key in keys.iter().skip(which).take(keys.len() / 2) {
            admin.call("POST", &format!("/v1/enrollments/{id}/modules/{key}/complete"), &json!({}));
        }
        id
    });
    Learner { token: me.token, large, small }
}

/// The ETag that a request is answered with.
fn tag_of(address: SocketAddr, bytes: &[u8]) -> String {
    Connection::open(address).ask_for_header(bytes, "etag").expect("an ETag")
}
