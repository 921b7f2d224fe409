//! The `cairn` command; `cairn` alone means `cairn serve`.

use std::ffi::OsString;
use std::io::Write;
use std::net::TcpListener;
use std::path::PathBuf;
use std::process::ExitCode;

use cairn::app;
use cairn::config::{Config, DatabaseUrl};
use clap::{Args, CommandFactory, Parser, Subcommand};

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// A headless learning management system.
#[derive(Parser)]
#[command(name = "cairn", version, about)]
struct Cli {
    #[command(subcommand)]
    command: Option<Command>,
}

#[derive(Args)]
struct Settings {
    #[command(flatten)]
    config: Config,
}

/// Settings alone, for `cairn` without a subcommand.
#[derive(Parser)]
struct Bare {
    #[command(flatten)]
    config: Config,
}

#[derive(Subcommand)]
enum Command {
    /// Serve the API (the default). Every setting is an environment variable.
    Serve(Settings),
    /// Run only the background worker.
    Worker(Settings),
    /// Migrate the database and stop.
    Migrate(Settings),
    /// Fill an empty database with demo courses and people, and print their log-ins.
    Seed(Settings),
    /// Say what is wrong with this set-up; exit code 1 when something must be mended.
    Doctor(Settings),
    /// Print the OpenAPI document.
    Openapi,
    /// Copy the SQLite database into a new file while the server runs.
    Backup {
        /// The new file.
        to: PathBuf,
        #[command(flatten)]
        settings: Settings,
    },
    /// Signing keys.
    Keys {
        #[command(subcommand)]
        command: KeysCommand,
    },
}

#[derive(Subcommand)]
enum KeysCommand {
    /// Sign with a new key from now on; tokens signed before stay valid.
    Rotate(Settings),
}

fn main() -> ExitCode {
    give_memory_back();
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        // The doctor says of every setting what is wrong with it.
        Err(error) if error.use_stderr() && std::env::args_os().nth(1).is_some_and(|word| word == "doctor") => {
            let flags: Vec<OsString> = std::env::args_os().skip(2).collect();
            return diagnose(&cairn::doctor::examine_settings(&flags));
        }
        Err(error) => error.exit(),
    };
    let command =
        cli.command.unwrap_or_else(|| Command::Serve(Settings { config: Bare::parse_from(["cairn"]).config }));
    match run(command) {
        Ok(code) => code,
        Err(error) => {
            let error = plainly(&*error);
            // The log goes to the terminal too, once it is there.
            if log::log_enabled!(log::Level::Error) {
                log::error!("{error}");
            } else {
                eprintln!("cairn: {error}");
            }
            ExitCode::FAILURE
        }
    }
}

fn diagnose(report: &cairn::doctor::Report) -> ExitCode {
    print!("{report}");
    if report.failed() { ExitCode::FAILURE } else { ExitCode::SUCCESS }
}

/// What went wrong, for whoever starts the program: no request and no log stands between.
fn plainly(error: &(dyn std::error::Error + 'static)) -> String {
    let cause = error.downcast_ref::<cairn::error::AppError>().and_then(cairn::error::AppError::cause);
    cause.map_or_else(|| error.to_string(), str::to_owned)
}

/// Gives memory back to the system as soon as it is free (the rest of how memory is taken is in `.cargo/config.toml`).
#[expect(unsafe_code, reason = "the allocator's options can be set in no other way; the call only stores a number")]
fn give_memory_back() {
    /// Position in mimalloc's `mi_option_e`, which the crate does not name.
    const PURGE_DELAY: i32 = 15;
    // SAFETY: mimalloc may be told of an option at any time, and ignores positions that it does not know.
    unsafe { libmimalloc_sys::mi_option_set(PURGE_DELAY, 0) };
}

/// Gives back what starting took and nothing needs any more: the document of the API alone is made of thousands of small pieces.
#[expect(unsafe_code, reason = "the allocator has no other way; the call frees only what is free already")]
fn tidy_after_start() {
    // SAFETY: it touches no memory that is in use.
    unsafe { libmimalloc_sys::mi_collect(true) };
}

type Outcome = Result<(), Box<dyn std::error::Error>>;

fn run(command: Command) -> Result<ExitCode, Box<dyn std::error::Error>> {
    match command {
        Command::Serve(settings) => serve(settings.config),
        Command::Worker(settings) => work(settings.config),
        Command::Migrate(settings) => {
            start_log(&settings.config);
            app::open(settings.config)?.db.close();
            Ok(())
        }
        Command::Seed(settings) => seed(settings.config),
        Command::Doctor(settings) => return Ok(diagnose(&cairn::doctor::examine(&settings.config))),
        Command::Openapi => Ok(std::io::stdout().write_all(app::document().as_bytes())?),
        Command::Backup { to, settings } => {
            start_log(&settings.config);
            let url = existing(&settings.config)?;
            if to.exists() {
                return Err(format!("{} exists already; name a new file", to.display()).into());
            }
            cairn::db::Db::open(&url, 1)?.backup(&to)?;
            println!("copied to {}", to.display());
            Ok(())
        }
        Command::Keys { command: KeysCommand::Rotate(settings) } => {
            start_log(&settings.config);
            existing(&settings.config)?;
            let state = app::open(settings.config)?;
            let now = state.clock.now();
            let kid = state.db.write_here(move |conn| cairn::auth::keys::rotate(conn, now))?;
            println!("tokens are signed with {kid} from now on; a running server takes it up within a few seconds");
            Ok(())
        }
    }?;
    Ok(ExitCode::SUCCESS)
}

/// The database, which these commands do not make.
fn existing(config: &Config) -> Result<DatabaseUrl, Box<dyn std::error::Error>> {
    match config.database()? {
        DatabaseUrl::Sqlite(path) if !path.exists() => {
            Err(format!("there is no database {} (DATABASE_URL)", path.display()).into())
        }
        url => Ok(url),
    }
}

fn serve(config: Config) -> Outcome {
    start_log(&config);
    let listener = TcpListener::bind(config.listen)
        .map_err(|error| format!("cannot listen on {} (CAIRN_LISTEN): {error}", config.listen))?;
    let state = app::open_with_admin(config)?;
    let base = state.public_url.clone();
    log::info!("Cairn {} on {}", env!("CARGO_PKG_VERSION"), state.db.url().redacted());
    log::info!("API: {base}/v1   Swagger UI: {base}/docs/   OpenAPI: {base}/openapi.json");
    if state.config.sandbox {
        log::warn!("sandbox: admins can move the clock with PUT /v1/sandbox/clock");
    }
    actix_web::rt::System::new().block_on(async move {
        let running = app::start(state, listener)?;
        tidy_after_start();
        running.serve().await.map_err(Into::into)
    })
}

fn seed(config: Config) -> Outcome {
    start_log(&config);
    let state = app::open_with_admin(config)?;
    let seeded = cairn::features::seed::run(&state)?;
    println!("{} courses and {} enrollments were made:", seeded.courses.len(), seeded.enrollments);
    for title in &seeded.courses {
        println!("  {title}");
    }
    println!("Everyone below logs in with the password {}", cairn::features::seed::PASSWORD);
    for login in &seeded.logins {
        println!("  {:<34} {:<11} {}", login.email, login.role, login.job);
    }
    println!("Whoever has read the manual knows this password: keep demo data away from real servers.");
    state.db.close();
    Ok(())
}

fn work(config: Config) -> Outcome {
    start_log(&config);
    let state = app::open(config)?;
    actix_web::rt::System::new().block_on(async move {
        let stopped = async {
            let mut terminate = tokio::signal::unix::signal(tokio::signal::unix::SignalKind::terminate())?;
            tokio::select! {
                done = tokio::signal::ctrl_c() => done,
                _ = terminate.recv() => Ok(()),
            }
        };
        app::work(state, stopped).await.map_err(Into::into)
    })
}

/// Plain lines, or one JSON object a line for log collectors.
fn start_log(config: &Config) {
    set_up_log(config);
    let command = Bare::command();
    let known: Vec<&str> = command.get_arguments().filter_map(|arg| arg.get_env()?.to_str()).collect();
    for (name, _) in std::env::vars_os() {
        if let Some(name) = name.to_str().filter(|name| name.starts_with("CAIRN_") && !known.contains(name)) {
            log::warn!("there is no setting {name}; README.md lists all");
        }
    }
}

fn set_up_log(config: &Config) {
    let mut builder =
        env_logger::Builder::from_env(env_logger::Env::default().default_filter_or("info,actix_server=warn"));
    if config.log_format == "json" {
        builder.format(|out, record| {
            let line = serde_json::json!({
                "at": out.timestamp_micros().to_string(),
                "level": record.level().as_str(),
                "target": record.target(),
                "message": record.args().to_string(),
            });
            writeln!(out, "{line}")
        });
    }
    builder.init();
}
