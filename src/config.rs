//! Settings: the sole reader of the environment. Everything has a sane default.

use std::net::SocketAddr;
use std::path::PathBuf;

use clap::Args;

/// Settings of the server. Each is an environment variable, or the flag of the same name; there are no files.
#[derive(Debug, Clone, Args)]
pub struct Config {
    /// `sqlite:<file>` (made when absent) or `postgres://user:password@host/database`.
    #[arg(long, env = "DATABASE_URL", default_value = "sqlite:cairn.db", hide_env_values = true)]
    pub database_url: String,
    /// Address to listen on.
    #[arg(long, env = "CAIRN_LISTEN", default_value = "127.0.0.1:8080")]
    pub listen: SocketAddr,
    /// Base of links and issuer of tokens; from the listen address when absent.
    #[arg(long, env = "CAIRN_PUBLIC_URL", value_parser = parse_base)]
    pub public_url: Option<String>,
    /// E-mail of the first admin, made on an empty database.
    #[arg(long, env = "CAIRN_ADMIN_EMAIL", default_value = "admin@example.org")]
    pub admin_email: String,
    /// Password of the first admin; generated and printed once when absent.
    #[arg(long, env = "CAIRN_ADMIN_PASSWORD", hide_env_values = true)]
    pub admin_password: Option<String>,
    /// `1` allows `PUT /v1/sandbox/clock`.
    #[arg(long, env = "CAIRN_SANDBOX", num_args = 0..=1, default_value = "0", default_missing_value = "1", value_parser = parse_switch)]
    pub sandbox: bool,
    /// HTTP worker threads; as many as there are cores when absent.
    #[arg(long, env = "CAIRN_WORKERS")]
    pub workers: Option<usize>,
    /// Whether this process also runs the background worker.
    #[arg(long, env = "CAIRN_WORKER_INLINE", num_args = 0..=1, default_value = "1", default_missing_value = "1", value_parser = parse_switch)]
    pub worker_inline: bool,
    /// Connections to Postgres (SQLite needs no such limit).
    #[arg(long, env = "CAIRN_DATABASE_POOL", default_value_t = 16, value_parser = clap::value_parser!(u32).range(1..=1000))]
    pub database_pool: u32,
    /// Largest request body in bytes.
    #[arg(long, env = "CAIRN_BODY_LIMIT_BYTES", default_value_t = 4 * 1024 * 1024, value_parser = parse_body_limit)]
    pub body_limit_bytes: usize,
    /// Origins that browsers may call from, separated by commas; `*` for any.
    #[arg(long, env = "CAIRN_CORS_ORIGINS", value_delimiter = ',', value_parser = parse_origin)]
    pub cors_origins: Vec<String>,
    /// Lifetime of an access token in seconds.
    #[arg(long, env = "CAIRN_ACCESS_TOKEN_SECONDS", default_value_t = 900, value_parser = clap::value_parser!(u32).range(1..=604_800))]
    pub access_token_seconds: u32,
    /// Lifetime of a refresh token in days.
    #[arg(long, env = "CAIRN_REFRESH_TOKEN_DAYS", default_value_t = 30, value_parser = clap::value_parser!(u32).range(1..=3650))]
    pub refresh_token_days: u32,
    /// Who may come in, and how often.
    #[command(flatten)]
    pub access: Access,
    /// `plain`, or `json` for one JSON object a line.
    #[arg(long, env = "CAIRN_LOG_FORMAT", default_value = "plain", value_parser = ["plain", "json"])]
    pub log_format: String,
}

/// Settings of identity and limits.
#[derive(Debug, Clone, Default, Args)]
pub struct Access {
    /// Outside OpenID Connect issuers whose JWTs are accepted, as a JSON list: `[{"issuer": "https://id.example",
    /// "audience": "cairn", "algorithms": ["RS256"], "user_claim": "email", "user_field": "email", "create_users": false,
    /// "roles": ["learner"]}]`. Keys are discovered, or taken from `jwks_uri` or `jwks`; `trust_email` takes e-mails that the
    /// issuer does not call verified.
    #[arg(long, env = "CAIRN_TRUSTED_ISSUERS")]
    pub trusted_issuers: Option<String>,
    /// Requests that one user or client may make in a minute; 0 for any number.
    #[arg(long, env = "CAIRN_RATE_LIMIT_PER_MINUTE", default_value_t = 0)]
    pub rate_limit_per_minute: u32,
    /// Requests without a token that one address may make in a minute; 0 for any number.
    #[arg(long, env = "CAIRN_ANONYMOUS_RATE_LIMIT_PER_MINUTE", default_value_t = 0)]
    pub anonymous_rate_limit_per_minute: u32,
    /// Log-ins and token requests that one address may make in a minute; 0 for any number.
    #[arg(long, env = "CAIRN_LOGIN_RATE_LIMIT_PER_MINUTE", default_value_t = 6000)]
    pub login_rate_limit_per_minute: u32,
    /// Wrong passwords that one address may send before it waits, longer each time up to 15 minutes; 50 when not set, 0 for any number.
    /// While an address waits, nobody behind it logs in.
    #[arg(long, env = "CAIRN_LOGIN_FAILURES_PER_ADDRESS")]
    pub login_failures_per_address: Option<u32>,
    /// `1` takes the caller's address from the last entry of `X-Forwarded-For`, as the proxy in front writes it.
    #[arg(long, env = "CAIRN_TRUST_FORWARDED", num_args = 0..=1, default_value = "0", default_missing_value = "1", value_parser = parse_switch)]
    pub trust_forwarded: bool,
}

fn parse_switch(text: &str) -> Result<bool, String> {
    match text.to_ascii_lowercase().as_str() {
        "1" | "true" | "on" | "yes" => Ok(true),
        "" | "0" | "false" | "off" | "no" => Ok(false),
        other => Err(format!("`{other}` is neither 1 nor 0")),
    }
}

/// A URL that links and the issuer of tokens begin with.
fn parse_base(text: &str) -> Result<String, String> {
    let rest = text.strip_prefix("https://").or_else(|| text.strip_prefix("http://"));
    match rest {
        Some(rest) if !rest.is_empty() && !rest.starts_with('/') && !rest.contains([' ', '?', '#']) => {
            Ok(text.to_owned())
        }
        _ => Err(format!("`{text}` is no URL such as https://learn.example.org")),
    }
}

/// An origin as browsers send it (RFC 6454 §6.1), or `*`.
fn parse_origin(text: &str) -> Result<String, String> {
    let text = text.trim();
    let host = text.split_once("://").map(|(_, host)| host);
    match host {
        Some(host) if !host.is_empty() && !host.contains(['/', ' ', '*']) => Ok(text.to_owned()),
        None if text == "*" || text.is_empty() => Ok(text.to_owned()),
        _ => Err(format!("`{text}` is no origin such as https://app.example.org, without a path")),
    }
}

fn parse_body_limit(text: &str) -> Result<usize, String> {
    match text.parse() {
        Ok(bytes) if bytes >= 1024 => Ok(bytes),
        _ => Err(format!("`{text}` is no number of bytes from 1024 on")),
    }
}

impl Config {
    /// Base of links and issuer of tokens, without a trailing slash.
    #[must_use]
    pub fn public_url(&self) -> String {
        match &self.public_url {
            Some(url) => url.trim_end_matches('/').to_owned(),
            None => format!("http://{}", self.listen),
        }
    }

    /// Where the data is.
    ///
    /// # Errors
    /// A sentence for people when the scheme is not known.
    pub fn database(&self) -> Result<DatabaseUrl, String> {
        DatabaseUrl::parse(&self.database_url)
    }
}

/// Which database, and where.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum DatabaseUrl {
    /// A file of the embedded SQLite.
    Sqlite(PathBuf),
    /// A Postgres server; the URL may hold a password, so never log it.
    Postgres(String),
}

impl DatabaseUrl {
    /// Reads `sqlite:<file>`, `sqlite://<file>` or `postgres://…`.
    ///
    /// # Errors
    /// A sentence for people when the scheme is not known.
    pub fn parse(url: &str) -> Result<Self, String> {
        if url.starts_with("postgres://") || url.starts_with("postgresql://") {
            return Ok(Self::Postgres(url.to_owned()));
        }
        match url.strip_prefix("sqlite:") {
            Some(rest) => {
                let file = rest.strip_prefix("//").unwrap_or(rest);
                if file.is_empty() || file.starts_with(":memory:") {
                    return Err("DATABASE_URL needs a file: sqlite:<file>. A database in memory would lose what it acknowledged.".into());
                }
                Ok(Self::Sqlite(PathBuf::from(file)))
            }
            None => Err("DATABASE_URL must begin with sqlite: or postgres://".into()),
        }
    }

    /// The address without credentials, for logs.
    #[must_use]
    pub fn redacted(&self) -> String {
        match self {
            Self::Sqlite(path) => format!("sqlite:{}", path.display()),
            Self::Postgres(url) => {
                let after =
                    url.rsplit_once('@').map_or_else(|| url.split_once("//").map_or("", |(_, r)| r), |(_, r)| r);
                format!("postgres://{}", after.split('?').next().unwrap_or_default())
            }
        }
    }
}
