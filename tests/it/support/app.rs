//! A server in this process, on a fresh database and a free port.

use std::net::TcpListener;
use std::sync::OnceLock;
use std::thread::JoinHandle;

use cairn::app;
use cairn::config::Config;
use cairn::db::types::{At, Id};
use cairn::state::State;
use diesel::{ExpressionMethods, RunQueryDsl};
use uuid::Uuid;

use super::client::Client;
use super::postgres;

pub const ADMIN: (&str, &str) = ("admin@example.org", "correct-horse-battery-staple-7");

/// A running server. Its worker does not run by itself: call [`TestApp::work`].
pub struct TestApp {
    pub state: State,
    pub base: String,
    server: Option<(actix_web::dev::ServerHandle, JoinHandle<()>)>,
    _folder: Option<tempfile::TempDir>,
    admin: OnceLock<Client>,
}

fn config(database_url: String) -> Config {
    Config {
        database_url,
        listen: "127.0.0.1:0".parse().expect("an address"),
        public_url: Some("https://cairn.example".into()),
        admin_email: ADMIN.0.into(),
        admin_password: Some(ADMIN.1.into()),
        sandbox: true,
        workers: Some(1),
        worker_inline: false,
        database_pool: 8,
        body_limit_bytes: 4 * 1024 * 1024,
        cors_origins: vec!["https://app.example".into()],
        access_token_seconds: 900,
        refresh_token_days: 30,
        access: cairn::config::Access::default(),
        log_format: "plain".into(),
    }
}

/// Migrates a database and makes its first admin, to be copied for each test.
pub fn prepare(database_url: &str) {
    let state = app::open_with_admin(config(database_url.to_owned())).expect("the database opens");
    state.db.close();
}

/// The prepared SQLite file, of which each test gets a copy. It is kept in memory, so that nothing is left behind.
fn template() -> &'static [u8] {
    static TEMPLATE: OnceLock<Vec<u8>> = OnceLock::new();
    TEMPLATE.get_or_init(|| {
        let folder = tempfile::tempdir().expect("a folder");
        let file = folder.path().join("made.db");
        prepare(&format!("sqlite:{}", file.display()));
        let copy = folder.path().join("template.db");
        // A copy by VACUUM has nothing left in a write-ahead log.
        let db = cairn::db::Db::open(&cairn::config::DatabaseUrl::Sqlite(file), 1).expect("it opens");
        db.backup(&copy).expect("a copy");
        db.close();
        std::fs::read(&copy).expect("the copy")
    })
}

impl TestApp {
    /// On SQLite.
    pub fn sqlite() -> Self {
        Self::sqlite_with(|_| {})
    }

    /// On SQLite, with other settings.
    pub fn sqlite_with(change: impl FnOnce(&mut Config)) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let file = folder.path().join("cairn.db");
        std::fs::write(&file, template()).expect("a copy");
        let mut config = config(format!("sqlite:{}", file.display()));
        change(&mut config);
        Self::start(config, Some(folder))
    }

    /// On Postgres, if it is there.
    pub fn postgres() -> Option<Self> {
        Self::postgres_with(|_| {})
    }

    /// On Postgres, with other settings.
    pub fn postgres_with(change: impl FnOnce(&mut Config)) -> Option<Self> {
        let mut config = config(postgres::fresh_database()?);
        change(&mut config);
        Some(Self::start(config, None))
    }

    fn start(config: Config, folder: Option<tempfile::TempDir>) -> Self {
        let state = app::open_with_admin(config).expect("the database opens");
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let base = format!("http://{}", listener.local_addr().expect("its address"));
        let (send, receive) = std::sync::mpsc::channel();
        let shared = state.clone();
        let thread = std::thread::spawn(move || {
            actix_web::rt::System::new().block_on(async move {
                let running = app::start(shared, listener).expect("the server starts");
                send.send(running.server.handle()).expect("the test waits");
                running.server.await.expect("the server runs");
            });
        });
        let handle = receive.recv().expect("the server's handle");
        Self { state, base, server: Some((handle, thread)), _folder: folder, admin: OnceLock::new() }
    }

    /// Somebody without a token.
    pub fn anyone(&self) -> Client {
        Client::new(&self.base, None)
    }

    /// The first admin, logged in.
    pub fn admin(&self) -> &Client {
        self.admin.get_or_init(|| {
            let id = self.anyone().login(ADMIN.0, ADMIN.1).get("/v1/me").expect(200).id();
            // A session of its own, that outlives every move of the clock.
            self.acting_as(&id)
        })
    }

    /// Somebody who holds this token.
    pub fn with_token(&self, token: &str) -> Client {
        Client::new(&self.base, Some(token.to_owned()))
    }

    /// A client for a user whose session was made here, without hashing a password.
    pub fn acting_as(&self, user: &str) -> Client {
        use cairn::db::schema::sessions;
        let user: Uuid = user.parse().expect("an id");
        let now = self.state.clock.now();
        let session = cairn::clock::new_id(now);
        self.state
            .db
            .write_here(move |conn| {
                diesel::insert_into(sessions::table)
                    .values((
                        sessions::id.eq(Id(session)),
                        sessions::user_id.eq(Id(user)),
                        sessions::created_at.eq(At(now)),
                        sessions::refreshed_at.eq(At(now)),
                        sessions::expires_at.eq(At(now + chrono::TimeDelta::days(3650))),
                    ))
                    .execute(conn)?;
                Ok(())
            })
            .expect("a session");
        let year = std::time::Duration::from_secs(3650 * 86_400);
        let token = self.state.tokens.sign(user, Some(session), None, now, year).expect("a token");
        let mut client = self.with_token(&token);
        client.user_id = Some(user.to_string());
        client
    }

    /// Moves the sandbox clock forward.
    pub fn advance(&self, seconds: i64) {
        self.admin().put("/v1/sandbox/clock", json_of(seconds)).ok();
    }

    /// Runs all background work that is due.
    pub fn work(&self) -> usize {
        cairn::jobs::worker::drain(&self.state, &app::job_kinds()).expect("the work is done")
    }

    /// Hands out the event log to all its consumers. On Postgres the log is read up to the oldest transaction that appends
    /// and has not ended: then the rest is waited for.
    pub fn dispatch(&self) {
        use cairn::db::schema::{event_cursors, events};
        use diesel::QueryDsl;
        loop {
            cairn::events::dispatch::drain(&self.state, &app::consumers()).expect("the events are dispatched");
            let behind = self.state.db.read_here(|conn| {
                let last: Option<i64> = events::table.select(diesel::dsl::max(events::seq)).first(conn)?;
                let names: Vec<&str> = app::consumers().iter().map(|consumer| consumer.name).collect();
                let done: Option<i64> = event_cursors::table
                    .filter(event_cursors::consumer.eq_any(names))
                    .select(diesel::dsl::min(event_cursors::seq))
                    .first(conn)?;
                Ok(last > done)
            });
            if !behind.expect("the log's end") {
                return;
            }
            std::thread::sleep(std::time::Duration::from_millis(5));
        }
    }

    /// How many statements the closure's requests execute.
    pub fn statements<T>(&self, f: impl FnOnce() -> T) -> (u64, T) {
        let before = self.state.db.statements();
        let result = f();
        (self.state.db.statements() - before, result)
    }
}

fn json_of(seconds: i64) -> serde_json::Value {
    serde_json::json!({ "advance_seconds": seconds })
}

impl Drop for TestApp {
    fn drop(&mut self) {
        if let Some((handle, thread)) = self.server.take() {
            drop(handle.stop(false));
            let _ = thread.join();
        }
        self.state.db.close();
    }
}
