//! Whether the server can listen, and whether its public address makes sense.

use std::io::{ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::time::Duration;

use super::Report;
use crate::config::Config;

const PATIENCE: Duration = Duration::from_secs(2);

/// The listen address is free, or a Cairn answers there.
pub fn listen(config: &Config, report: &mut Report) {
    let address = config.listen;
    match TcpListener::bind(address) {
        Ok(_) => report.ok("listen", format!("{address} is free")),
        Err(error) if error.kind() == ErrorKind::AddrInUse => {
            if answers_as_cairn(address) {
                report.ok("listen", format!("a Cairn is running on {address}"));
            } else {
                report.fail("listen", format!("another program uses {address}; stop it or set CAIRN_LISTEN to another port"));
            }
        }
        Err(error) => report.fail(
            "listen",
            format!("cannot listen on {address}: {error}. CAIRN_LISTEN needs an address of this machine and a port this user may open"),
        ),
    }
}

fn answers_as_cairn(address: SocketAddr) -> bool {
    let ask = || -> std::io::Result<String> {
        let mut stream = TcpStream::connect_timeout(&address, PATIENCE)?;
        stream.set_read_timeout(Some(PATIENCE))?;
        stream.write_all(b"GET /openapi.json HTTP/1.0\r\nHost: localhost\r\n\r\n")?;
        let mut start = Vec::new();
        stream.take(4096).read_to_end(&mut start)?;
        Ok(String::from_utf8_lossy(&start).into_owned())
    };
    ask().is_ok_and(|answer| answer.contains("\"title\":\"Cairn\"") || answer.contains("\"title\": \"Cairn\""))
}

/// Links and tokens carry the public URL; others must be able to reach it.
pub fn public_url(config: &Config, report: &mut Report) {
    let url = config.public_url();
    let Some((scheme, rest)) = url.split_once("://").filter(|(scheme, _)| matches!(*scheme, "http" | "https")) else {
        report.fail("public url", format!("CAIRN_PUBLIC_URL is {url}; it must begin with https:// or http://"));
        return;
    };
    let host = rest.split('/').next().unwrap_or_default();
    let local = ["localhost", "127.", "[::1]"].iter().any(|name| host.starts_with(name));
    if host.is_empty() || rest.contains(['?', '#', ' ']) {
        report.fail("public url", format!("CAIRN_PUBLIC_URL is {url}; it needs a host and no query"));
    } else if host.starts_with("0.0.0.0") || host.starts_with("[::]") {
        report.warn("public url", format!("links would lead to {url}, which nobody can open; set CAIRN_PUBLIC_URL"));
    } else if local && !config.listen.ip().is_loopback() {
        report.warn(
            "public url",
            format!("others can reach this server, but its links lead to {url}; set CAIRN_PUBLIC_URL"),
        );
    } else if scheme == "http" && !local {
        report.warn(
            "public url",
            format!("{url} is not encrypted: passwords and tokens travel in the clear; put TLS in front"),
        );
    } else {
        report.ok("public url", url);
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Parser)]
    struct Settings {
        #[command(flatten)]
        config: Config,
    }

    #[test]
    fn a_public_url_is_judged_by_who_can_open_it() {
        let cases = [
            ("127.0.0.1:8080", "http://127.0.0.1:8080", "ok  "),
            ("0.0.0.0:8080", "http://0.0.0.0:8080", "warn"),
            ("0.0.0.0:8080", "http://localhost:8080", "warn"),
            ("127.0.0.1:8080", "https://learn.example.org", "ok  "),
            ("127.0.0.1:8080", "http://learn.example.org", "warn"),
        ];
        for (listen, url, expected) in cases {
            let settings = Settings::parse_from(["cairn", "--listen", listen, "--public-url", url]);
            let mut report = Report::default();
            public_url(&settings.config, &mut report);
            assert!(report.to_string().starts_with(expected), "{listen} {url}: {report}");
        }
    }

    #[test]
    fn a_port_that_another_program_holds_is_a_failure() {
        let other = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = other.local_addr().unwrap().to_string();
        let hangs_up = std::thread::spawn(move || drop(other.accept()));
        let settings = Settings::parse_from(["cairn", "--listen", &address]);
        let mut report = Report::default();
        listen(&settings.config, &mut report);
        hangs_up.join().unwrap();
        assert!(report.failed(), "{report}");
    }
}
