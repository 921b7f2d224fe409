//! Puts everything together: state, routes, documentation, worker; the only module that names the features.

use std::net::TcpListener;
use std::time::Duration;

use actix_cors::Cors;
use actix_web::middleware::{Compress, from_fn};
use actix_web::{App, HttpServer, web};
use utoipa::OpenApi;
use utoipa_actix_web::AppExt;
use utoipa_swagger_ui::SwaggerUi;

use crate::auth::keys::Keys;
use crate::auth::limits::Limits;
use crate::auth::outside::Outside;
use crate::auth::passwords::Passwords;
use crate::auth::tokens::Tokens;
use crate::clock::Clock;
use crate::config::Config;
use crate::db::{Db, migrations};
use crate::error::{AppError, AppResult};
use crate::events::dispatch::{Consumer, Dispatcher};
use crate::features::{
    attempts, audit, certificates, clients, competencies, courses, enrollments, games, groups, oauth, privacy, scim,
    sessions, sync, system, users,
};
use crate::http::routes::{Routes, Served};
use crate::http::{fallback, idempotency, metrics, middleware, openapi};
use crate::jobs::worker::{JobKind, Worker};
use crate::state::{Shared, State};

/// Registers every area's operations, those called most first: the router tries them in order.
fn register(config: &mut Routes<'_, '_>) {
    enrollments::register(config);
    attempts::register(config);
    users::register(config);
    courses::register(config);
    groups::register(config);
    sync::register(config);
    certificates::register(config);
    competencies::register(config);
    games::register(config);
    sessions::register(config);
    oauth::register(config);
    clients::register(config);
    audit::register(config);
    privacy::register(config);
    scim::register(config);
    system::register(config);
}

/// Background work that recurs.
#[must_use]
pub fn job_kinds() -> Vec<JobKind> {
    let every = |seconds| Some(seconds);
    vec![
        JobKind { name: "submit_overdue_attempts", every_seconds: every(5), run: attempts::submit_overdue },
        JobKind { name: "expire_enrollments", every_seconds: every(60), run: enrollments::expire_due },
        JobKind { name: "settle_due_enrollments", every_seconds: every(2), run: enrollments::settle_due },
        JobKind { name: "close_due_games", every_seconds: every(2), run: games::close_due },
        JobKind { name: "settle_due_matches", every_seconds: every(5), run: games::settle_due_matches },
        JobKind { name: games::BADGE_JOB, every_seconds: None, run: games::award_badges_to_rest },
        JobKind { name: "draw_due_leagues", every_seconds: every(60), run: games::draw_due_leagues },
        JobKind { name: "forget_idempotency_keys", every_seconds: every(3600), run: forget_idempotency_keys },
        JobKind { name: "forget_expired_sessions", every_seconds: every(3600), run: sessions::forget_expired },
        JobKind { name: sync::JOB, every_seconds: None, run: sync::apply_plan },
        JobKind { name: "end_stuck_sync_plans", every_seconds: every(30), run: sync::end_stuck_plans },
        JobKind { name: "forget_sync_plans", every_seconds: every(3600), run: sync::forget_old },
        JobKind { name: groups::dynamic::JOB, every_seconds: None, run: groups::evaluate_group },
        JobKind { name: groups::assignments::JOB, every_seconds: None, run: groups::enroll_members },
        JobKind { name: groups::moving::JOB, every_seconds: None, run: groups::follow_move },
        JobKind { name: "tell_who_is_behind", every_seconds: every(300), run: competencies::tell_due },
        JobKind { name: enrollments::SEATS_JOB, every_seconds: None, run: enrollments::seat_waiting },
        JobKind { name: enrollments::JOB, every_seconds: None, run: enrollments::settle_person },
        JobKind { name: competencies::JOB, every_seconds: None, run: competencies::reckon_all },
        JobKind { name: "forget_expired_tokens", every_seconds: every(3600), run: oauth::forget_expired },
    ]
}

/// Readers of the event log, in the order in which they are served.
#[must_use]
pub fn consumers() -> Vec<Consumer> {
    vec![games::CONSUMER, enrollments::CONSUMER]
}

fn forget_idempotency_keys(state: &State, _: &serde_json::Value) -> AppResult<()> {
    let now = state.clock.now();
    state.db.write_here(move |conn| idempotency::forget_old(conn, now)).map(drop)
}

#[derive(OpenApi)]
#[openapi(
    info(
        title = "Cairn",
        description = "A headless learning management system. Log in with the **Authorize** button (e-mail and password under \
            *email_and_password*), then try any operation. Lists come in pages (`limit`, `after`), errors are problem documents (RFC 9457) that \
            name every fault, and a 2xx is on disk.\n\n\
            Headers that work everywhere:\n\n\
            * `Idempotency-Key` (1 to 255 visible ASCII characters) makes the retry of a POST safe: the same key and body get the first answer again, for 24 hours (409 when that was about somebody whose data was erased since); \
            the same key with another body is a 422, and while the first request still runs a 409.\n\
            * `If-Match` with the `ETag` that you read changes only that version; 412 with the current tag when it has changed since. \
            `If-None-Match` on a GET answers 304 when you have it already.\n\
            * `X-Request-Id` is taken, or made, and stands in every answer and in the log.",
        license(name = "MIT OR Apache-2.0", identifier = "MIT OR Apache-2.0")
    ),
    components(schemas(openapi::Problem, crate::error::Fault, crate::domain::condition::Reason, games::dto::EntryKind, games::dto::FlagState, games::dto::Around, games::dto::GameStatus, scim::dto::ScimError)),
    tags(
        (name = "session", description = "Log in and out."),
        (name = "people", description = "Users and their roles, groups and organisational units."),
        (name = "scim", description = "Provisioning of users and groups by identity providers: SCIM 2.0 (RFC 7643, 7644, 9865). Errors have SCIM's own form."),
        (name = "machine auth", description = "Machine clients and their tokens."),
        (name = "authoring", description = "Courses, their drafts and revisions."),
        (name = "learning", description = "Enrollments, paths, learning events, choices."),
        (name = "quizzes", description = "Attempts and answers."),
        (name = "certificates", description = "Proof of completion."),
        (name = "competencies", description = "Frameworks, mastery and its evidence, targets, goals, practice."),
        (name = "games", description = "Points, badges, leaderboards, teams."),
        (name = "operation", description = "Health, metrics, the sandbox clock.")
    )
)]
struct Api;

/// Makes the OpenAPI document from the code. Servers serve the committed one, which a test holds to be the same.
#[must_use]
pub fn document() -> String {
    let mut api = Api::openapi();
    let (_, made) = App::new().into_utoipa_app().configure(|c| register(&mut Routes::Described(c))).split_for_parts();
    api.merge(made);
    api.servers = None;
    openapi::make(&api)
}

/// Opens and migrates the database, loads the keys. Whoever makes the first admin asks for it with [`open_with_admin`]: a command that
/// only prepares or works must not take the choice of its e-mail and password from the server.
///
/// # Errors
/// When the database cannot be reached or migrated.
pub fn open(config: Config) -> AppResult<State> {
    let url = config.database().map_err(AppError::internal)?;
    let db = Db::open(&url, config.database_pool)?;
    let done = migrations::migrate(&db)?;
    if done > 0 {
        log::info!("{done} migrations were applied to {}", url.redacted());
    }
    let clock = Clock::default();
    let keys = Keys::open(&db, clock.now())?;
    let cores = std::thread::available_parallelism().map_or(2, usize::from);
    let public_url = config.public_url();
    let state = State::new(Shared {
        tokens: Tokens::new(keys, &public_url),
        passwords: Passwords::new(cores),
        outside: Outside::parse(config.access.trusted_issuers.as_deref()).map_err(AppError::internal)?,
        limits: Limits::new(&config.access),
        running_keys: std::sync::Mutex::default(),
        public_url,
        clock,
        db,
        config,
    });
    system::restore_clock(&state)?;
    Ok(state)
}

/// As [`open`]; on an empty database it makes the first admin.
///
/// # Errors
/// As [`open`]; a configured e-mail or password that no user could have.
pub fn open_with_admin(config: Config) -> AppResult<State> {
    let state = open(config)?;
    users::ensure_admin(&state)?;
    Ok(state)
}

/// Runs only the background work, until `stopped` resolves.
///
/// # Errors
/// When the threads cannot be started; what `stopped` answers.
pub async fn work(state: State, stopped: impl Future<Output = std::io::Result<()>>) -> AppResult<()> {
    system::follow_clock(&state)?;
    let worker = Worker::start(state.clone(), job_kinds())?;
    let dispatcher = Dispatcher::start(state.clone(), consumers())?;
    log::info!("working on {}", state.db.url().redacted());
    let following = actix_web::rt::spawn(keep_following(state.clone()));
    let result = stopped.await.map_err(AppError::internal);
    following.abort();
    drop(worker);
    drop(dispatcher);
    state.db.close();
    result
}

/// Lets a worker's clock follow the server's.
async fn keep_following(state: State) {
    let mut ticks = actix_web::rt::time::interval(Duration::from_secs(2));
    loop {
        ticks.tick().await;
        let state = state.clone();
        if let Ok(Err(error)) = web::block(move || system::follow_clock(&state)).await {
            log::error!("the clock cannot be read: {error}");
        }
    }
}

/// A server that listens.
pub struct Running {
    /// The shared state.
    pub state: State,
    /// The HTTP server; resolves when it has stopped.
    pub server: actix_web::dev::Server,
    worker: Option<Worker>,
    dispatcher: Option<Dispatcher>,
}

/// Starts the HTTP server on a listener that is bound already, and the worker if it runs inline.
///
/// # Errors
/// When the threads cannot be started.
pub fn start(state: State, listener: TcpListener) -> AppResult<Running> {
    metrics::install();
    let workers = state.config.workers.unwrap_or_else(|| std::thread::available_parallelism().map_or(2, usize::from));
    let inline = state.config.worker_inline;
    let worker = if inline { Some(Worker::start(state.clone(), job_kinds())?) } else { None };
    let dispatcher = if inline { Some(Dispatcher::start(state.clone(), consumers())?) } else { None };
    let shared = web::Data::new(state.clone());
    let server = HttpServer::new(move || {
        let swagger = SwaggerUi::new("/docs/{_:.*}").config(
            utoipa_swagger_ui::Config::from("/openapi.json")
                .persist_authorization(true)
                .try_it_out_enabled(true)
                .filter(true),
        );
        App::new()
            .app_data(shared.clone())
            .app_data(web::PathConfig::default().error_handler(|_, request| fallback::bad_path(request).into()))
            .app_data(web::FormConfig::default().limit(16 * 1024).error_handler(|e, _| {
                AppError::new(crate::error::Code::Malformed, format!("The form cannot be read: {e}.")).into()
            }))
            .app_data(web::PayloadConfig::new(64 * 1024))
            .configure(|config| register(&mut Routes::Served(Served(config))))
            .service(web::redirect("/docs", "/docs/"))
            .service(swagger)
            .default_service(web::to(fallback::no_route))
            .wrap(Compress::default())
            .wrap(cors(&shared.config.cors_origins))
            .wrap(from_fn(middleware::edge))
    })
    .workers(workers.max(1))
    .keep_alive(Duration::from_secs(75))
    .client_request_timeout(Duration::from_secs(30))
    .shutdown_timeout(8)
    .listen(listener)
    .map_err(AppError::internal)?
    .run();
    Ok(Running { state, server, worker, dispatcher })
}

impl Running {
    /// Serves until a signal stops it: finishes what is under way, stops the worker, closes the database.
    ///
    /// # Errors
    /// When the server fails.
    pub async fn serve(self) -> std::io::Result<()> {
        let upkeep = actix_web::rt::spawn(upkeep(self.state.clone()));
        let boards = actix_web::rt::spawn(games::follow_boards(self.state.clone()));
        let result = self.server.await;
        upkeep.abort();
        boards.abort();
        drop(self.worker);
        drop(self.dispatcher);
        self.state.db.close();
        log::info!("stopped");
        result
    }
}

/// Small things to be done every few seconds in each process.
async fn upkeep(state: State) {
    let mut ticks = actix_web::rt::time::interval(Duration::from_secs(5));
    loop {
        ticks.tick().await;
        metrics::run_upkeep();
        let state = state.clone();
        let done = web::block(move || {
            system::restore_clock(&state)?;
            state.tokens.keys.reload(&state.db)
        })
        .await;
        if let Ok(Err(error)) = done {
            log::error!("upkeep: {error}");
        }
    }
}

/// Origins that browsers may call from; none unless configured.
fn cors(origins: &[String]) -> Cors {
    let mut cors = Cors::default()
        .allow_any_method()
        .allow_any_header()
        .expose_headers([
            "etag",
            "link",
            "location",
            "x-request-id",
            "idempotency-replayed",
            "retry-after",
            "ratelimit",
            "ratelimit-policy",
        ])
        .max_age(3600);
    for origin in origins.iter().map(|o| o.trim()).filter(|o| !o.is_empty()) {
        cors = if origin == "*" { cors.allow_any_origin() } else { cors.allowed_origin(origin) };
    }
    cors
}
