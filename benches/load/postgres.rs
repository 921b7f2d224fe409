//! A throw-away Postgres cluster, durable as it is by default.

use std::os::unix::fs::{MetadataExt, chown};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

pub struct Cluster {
    bin: PathBuf,
    folder: tempfile::TempDir,
    owner: Option<(u32, u32)>,
}

fn binaries() -> Option<PathBuf> {
    let packaged = std::fs::read_dir("/usr/lib/postgresql").into_iter().flatten();
    let mut found: Vec<PathBuf> = packaged.filter_map(|entry| Some(entry.ok()?.path().join("bin"))).collect();
    found.sort();
    found.extend(std::env::split_paths(&std::env::var_os("PATH").unwrap_or_default()));
    found.into_iter().rev().find(|dir| dir.join("initdb").is_file() && dir.join("pg_ctl").is_file())
}

/// Postgres does not run as root: then it runs as the user `postgres`, who gets the folder.
fn owner(folder: &Path) -> Option<(u32, u32)> {
    if std::fs::metadata("/proc/self").ok()?.uid() != 0 {
        return None;
    }
    let users = std::fs::read_to_string("/etc/passwd").expect("users");
    let line = users.lines().find(|line| line.starts_with("postgres:")).expect("a user `postgres`");
    let ids: Vec<u32> = line.split(':').skip(2).take(2).map(|n| n.parse().expect("a number")).collect();
    chown(folder, Some(ids[0]), Some(ids[1])).expect("the folder changes hands");
    Some((ids[0], ids[1]))
}

impl Cluster {
    pub fn start() -> Self {
        let bin = binaries().expect("Postgres's server binaries (initdb, pg_ctl)");
        let folder = tempfile::Builder::new().prefix("cairn-load-pg-").tempdir().expect("a folder");
        let owner = owner(folder.path());
        let cluster = Self { bin, folder, owner };
        let text = |name: &str| cluster.folder.path().join(name).display().to_string();
        let data = text("data");
        assert!(
            cluster.run("initdb", &["-D", &data, "-A", "trust", "-U", "cairn", "-E", "UTF8", "--locale=C.UTF-8"]),
            "initdb"
        );
        let options = format!("-k {} -c listen_addresses=", cluster.folder.path().display());
        assert!(
            cluster.run("pg_ctl", &["-D", &data, "-w", "-l", &text("log"), "-o", &options, "start"]),
            "pg_ctl start"
        );
        cluster
    }

    fn run(&self, program: &str, args: &[&str]) -> bool {
        let mut command = Command::new(self.bin.join(program));
        command.args(args).current_dir("/").stdout(Stdio::null()).stderr(Stdio::null());
        if let Some((uid, gid)) = self.owner {
            command.uid(uid).gid(gid);
        }
        command.status().expect("it starts").success()
    }

    pub fn url(&self) -> String {
        let host = self.folder.path().display().to_string().replace('/', "%2F");
        format!("postgres://cairn@/postgres?host={host}")
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        let data = self.folder.path().join("data").display().to_string();
        self.run("pg_ctl", &["-D", &data, "-m", "immediate", "-w", "stop"]);
    }
}
