//! The two servers: Cairn's binary, and this program once more as a bare actix server.

use std::io::{BufRead, BufReader};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use actix_web::{App, HttpResponse, HttpServer, web};

/// The first admin of a fresh database.
pub const ADMIN: (&str, &str) = ("admin@example.org", "load-test-password-7");

/// As little as actix can do: no database, no log-in, no middleware; 45 bytes.
pub fn serve_bare() {
    let answer = || async {
        HttpResponse::Ok().content_type("application/json").body(r#"{"id":17,"name":"Ada Lovelace","active":true}"#)
    };
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    println!("{}", listener.local_addr().expect("its address"));
    let server =
        HttpServer::new(move || App::new().route("/", web::get().to(answer))).listen(listener).expect("it listens");
    actix_web::rt::System::new().block_on(server.run()).expect("it serves");
}

/// The yardstick.
pub struct Bare {
    child: Child,
    pub address: SocketAddr,
}

impl Bare {
    pub fn start() -> Self {
        let mut child = Command::new(std::env::current_exe().expect("this program"))
            .arg("--bare")
            .stdout(Stdio::piped())
            .spawn()
            .expect("it starts");
        let mut line = String::new();
        BufReader::new(child.stdout.take().expect("its output")).read_line(&mut line).expect("its address");
        Self { child, address: line.trim().parse().expect("an address") }
    }
}

impl Drop for Bare {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Cairn, as people run it.
pub struct Cairn {
    child: Child,
    pub address: SocketAddr,
    pub base: String,
}

impl Cairn {
    pub fn start(database_url: &str) -> Self {
        let free = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let address = free.local_addr().expect("its address");
        drop(free);
        let child = Command::new(env!("CARGO_BIN_EXE_cairn"))
            .arg("serve")
            .env("DATABASE_URL", database_url)
            .env("CAIRN_LISTEN", address.to_string())
            .env("CAIRN_ADMIN_EMAIL", ADMIN.0)
            .env("CAIRN_ADMIN_PASSWORD", ADMIN.1)
            .env("CAIRN_ACCESS_TOKEN_SECONDS", "86400")
            .env("RUST_LOG", "warn")
            .spawn()
            .expect("it starts");
        let patience = Instant::now() + Duration::from_secs(30);
        while TcpStream::connect(address).is_err() {
            assert!(Instant::now() < patience, "the server does not listen");
            std::thread::sleep(Duration::from_millis(50));
        }
        std::thread::sleep(Duration::from_millis(500));
        Self { child, address, base: format!("http://{address}") }
    }

    /// Resident memory now and at its highest.
    pub fn memory(&self) -> String {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.child.id())).unwrap_or_default();
        let mib = |name: &str| {
            let line = status.lines().find(|line| line.starts_with(name));
            let kib = line.and_then(|l| l.split_whitespace().nth(1)).and_then(|n| n.parse::<f64>().ok());
            kib.map_or_else(|| "unknown".to_owned(), |kib| format!("{:.1} MiB", kib / 1024.0))
        };
        format!("{} (highest so far {})", mib("VmRSS:"), mib("VmHWM:"))
    }
}

impl Drop for Cairn {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
