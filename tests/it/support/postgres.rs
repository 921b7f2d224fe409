//! One throw-away Postgres cluster for the whole test process, from the server binaries of the machine.

use std::io::Write;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering};

use diesel::{Connection, PgConnection, RunQueryDsl, sql_query};

static CLUSTER: OnceLock<Option<Cluster>> = OnceLock::new();
static NEXT: AtomicU32 = AtomicU32::new(0);

struct Cluster {
    socket: PathBuf,
    /// Closed when this process ends, however it ends; then the watcher removes the cluster.
    _watcher: std::process::ChildStdin,
}

/// The address of a new, migrated database; `None`, said plainly, when the machine has no Postgres.
pub fn fresh_database() -> Option<String> {
    let cluster = CLUSTER.get_or_init(start).as_ref()?;
    let name = format!("test_{}", NEXT.fetch_add(1, Ordering::Relaxed));
    let mut conn = PgConnection::establish(&cluster.url("postgres")).expect("the cluster answers");
    sql_query(format!("CREATE DATABASE {name} TEMPLATE migrated")).execute(&mut conn).expect("a new database");
    Some(cluster.url(&name))
}

impl Cluster {
    fn url(&self, database: &str) -> String {
        format!("postgres://cairn@/{database}?host={}", self.socket.display().to_string().replace('/', "%2F"))
    }
}

fn binaries() -> Option<PathBuf> {
    let mut found: Vec<PathBuf> = std::fs::read_dir("/usr/lib/postgresql")
        .into_iter()
        .flatten()
        .filter_map(|entry| Some(entry.ok()?.path().join("bin")))
        .collect();
    found.sort();
    found.extend(std::env::split_paths(&std::env::var_os("PATH").unwrap_or_default()));
    found.into_iter().rev().find(|dir| dir.join("initdb").is_file() && dir.join("pg_ctl").is_file())
}

fn start() -> Option<Cluster> {
    let Some(bin) = binaries() else {
        assert!(
            std::env::var("CI").as_deref() != Ok("true"),
            "CI must test on Postgres too, and its server binaries (initdb, pg_ctl) are not on this machine"
        );
        // Past the capture of the test harness, so that everybody sees it.
        let _ = writeln!(
            std::io::stderr(),
            "\nPostgres was NOT tested: its server binaries (initdb, pg_ctl) are not on this machine.\n"
        );
        return None;
    };
    let dir = tempfile::Builder::new().prefix("cairn-pg-").tempdir().expect("a folder").keep();
    let owner = owner(&dir);
    let data = dir.join("data");
    let run = |program: &str, args: &[&str]| {
        let mut command = Command::new(bin.join(program));
        command.args(args).current_dir("/").stdout(Stdio::null()).stderr(Stdio::null());
        if let Some((uid, gid)) = owner {
            command.uid(uid).gid(gid);
        }
        assert!(command.status().expect("it starts").success(), "{program} failed");
    };
    let text = |path: &Path| path.display().to_string();
    run("initdb", &["-D", &text(&data), "-A", "trust", "-U", "cairn", "-E", "UTF8", "--locale=C.UTF-8", "--no-sync"]);
    let options = format!(
        "-k {} -c listen_addresses= -c fsync=off -c synchronous_commit=off -c full_page_writes=off -c max_connections=400 -c shared_buffers=64MB",
        dir.display()
    );
    run("pg_ctl", &["-D", &text(&data), "-w", "-l", &text(&dir.join("log")), "-o", &options, "start"]);
    let stop = format!(
        "cat; '{}' -D '{}' -m immediate stop; rm -rf '{}'",
        bin.join("pg_ctl").display(),
        data.display(),
        dir.display()
    );
    let mut watcher = Command::new("sh");
    watcher
        .args(["-c", &stop])
        .current_dir("/")
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .process_group(0);
    if let Some((uid, gid)) = owner {
        watcher.uid(uid).gid(gid);
    }
    let stdin = watcher.spawn().expect("a watcher").stdin.take().expect("its input");
    let cluster = Cluster { socket: dir, _watcher: stdin };
    let mut conn = PgConnection::establish(&cluster.url("postgres")).expect("the cluster answers");
    sql_query("CREATE DATABASE migrated").execute(&mut conn).expect("a database");
    super::app::prepare(&cluster.url("migrated"));
    Some(cluster)
}

/// Postgres refuses to run as root: then it runs as `postgres`, or nobody, who gets the folder.
fn owner(dir: &Path) -> Option<(u32, u32)> {
    use std::os::unix::fs::MetadataExt;
    if std::fs::metadata("/proc/self").map(|m| m.uid()).ok()? != 0 {
        return None;
    }
    let users = std::fs::read_to_string("/etc/passwd").unwrap_or_default();
    let of = |name: &str| {
        let line = users.lines().find(|line| line.starts_with(&format!("{name}:")))?;
        let mut fields = line.split(':').skip(2).map(|n| n.parse::<u32>());
        Some((fields.next()?.ok()?, fields.next()?.ok()?))
    };
    let owner = of("postgres").or_else(|| of("nobody"))?;
    std::os::unix::fs::chown(dir, Some(owner.0), Some(owner.1)).expect("the folder changes hands");
    Some(owner)
}
