//! The load itself: one thread and one keep-alive HTTP/1.1 connection for each client, requests that are ready-made bytes.

use std::io::{ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::Barrier;
use std::time::{Duration, Instant};

/// Writes the `n`th request of a connection.
type Make = Box<dyn Fn(usize, u64, &mut Vec<u8>) + Send + Sync>;

/// A server, and what to send it.
pub struct Target {
    address: SocketAddr,
    make: Make,
}

impl Target {
    pub fn new(address: SocketAddr, make: impl Fn(usize, u64, &mut Vec<u8>) + Send + Sync + 'static) -> Self {
        Self { address, make: Box::new(make) }
    }
}

/// What was measured.
pub struct Measured {
    /// Sorted.
    nanos: Vec<u64>,
    elapsed: Duration,
    /// Answers other than 2xx and 304.
    pub errors: u64,
    pub first_error: Option<String>,
}

impl Measured {
    pub fn per_second(&self) -> f64 {
        (self.nanos.len() as f64 - self.errors as f64) / self.elapsed.as_secs_f64()
    }

    pub fn quantile_ms(&self, q: f64) -> f64 {
        let last = self.nanos.len().saturating_sub(1);
        let at = ((last as f64) * q).round() as usize;
        self.nanos.get(at).map_or(f64::NAN, |n| *n as f64 / 1e6)
    }
}

/// One connection that can be asked again and again.
pub struct Connection {
    stream: TcpStream,
    buffer: Vec<u8>,
}

impl Connection {
    pub fn open(address: SocketAddr) -> Self {
        let stream = TcpStream::connect(address).expect("the server accepts");
        stream.set_nodelay(true).expect("no delay");
        stream.set_read_timeout(Some(Duration::from_secs(60))).expect("a time limit");
        Self { stream, buffer: vec![0; 512 * 1024] }
    }

    /// Sends a request and reads the whole answer: its status, and its body in the buffer.
    pub fn ask(&mut self, request: &[u8]) -> (u16, &[u8]) {
        self.stream.write_all(request).expect("the server reads");
        let mut filled = 0;
        let (status, body_at, end) = loop {
            if filled == self.buffer.len() {
                self.buffer.resize(filled * 2, 0);
            }
            let read = match self.stream.read(&mut self.buffer[filled..]) {
                Err(error) if error.kind() == ErrorKind::Interrupted => continue,
                other => other.expect("the server answers"),
            };
            assert!(read > 0, "the server closed the connection");
            filled += read;
            if let Some((status, body_at, length)) = head(&self.buffer[..filled]) {
                break (status, body_at, body_at + length);
            }
        };
        if self.buffer.len() < end {
            self.buffer.resize(end, 0);
        }
        if filled < end {
            self.stream.read_exact(&mut self.buffer[filled..end]).expect("a whole body");
        }
        (status, &self.buffer[body_at..end])
    }

    /// Sends a request; a header of the answer.
    pub fn ask_for_header(&mut self, request: &[u8], name: &str) -> Option<String> {
        self.ask(request);
        let end = self.buffer.windows(4).position(|w| w == b"\r\n\r\n")?;
        header(std::str::from_utf8(&self.buffer[..end]).ok()?, name)
    }
}

/// The value of a header.
fn header(head: &str, wanted: &str) -> Option<String> {
    head.lines()
        .filter_map(|line| line.split_once(':'))
        .find(|(name, _)| name.eq_ignore_ascii_case(wanted))
        .map(|(_, v)| v.trim().to_owned())
}

/// Status, where the body begins, and its length, once the whole head is there.
fn head(bytes: &[u8]) -> Option<(u16, usize, usize)> {
    let end = bytes.windows(4).position(|w| w == b"\r\n\r\n")? + 4;
    let text = std::str::from_utf8(&bytes[..end]).expect("an ASCII head");
    let status = text[9..12].parse().expect("a status");
    let length = header(text, "content-length").map_or(0, |value| value.parse().expect("a length"));
    Some((status, end, length))
}

/// Asks as fast as this many connections can, for this long.
pub fn measure(target: &Target, connections: usize, time: Duration) -> Measured {
    let barrier = Barrier::new(connections + 1);
    let mut all = Vec::new();
    let mut errors = 0;
    let mut first_error = None;
    let mut elapsed = Duration::ZERO;
    std::thread::scope(|scope| {
        let threads: Vec<_> = (0..connections)
            .map(|number| {
                let barrier = &barrier;
                std::thread::Builder::new()
                    .stack_size(256 * 1024)
                    .spawn_scoped(scope, move || one(target, number, barrier, time))
                    .expect("a thread")
            })
            .collect();
        barrier.wait();
        let started = Instant::now();
        for thread in threads {
            let (nanos, wrong, first) = thread.join().expect("a client ends well");
            all.extend(nanos);
            errors += wrong;
            first_error = first_error.take().or(first);
        }
        elapsed = started.elapsed();
    });
    all.sort_unstable();
    Measured { nanos: all, elapsed, errors, first_error }
}

fn one(target: &Target, number: usize, barrier: &Barrier, time: Duration) -> (Vec<u64>, u64, Option<String>) {
    let mut connection = Connection::open(target.address);
    let mut request = Vec::with_capacity(2048);
    let mut nanos = Vec::with_capacity(1 << 14);
    let (mut errors, mut first) = (0, None);
    let mut n = 0;
    // A few in advance, so that caches and connections of the server are warm.
    while n < 8 {
        request.clear();
        (target.make)(number, n, &mut request);
        connection.ask(&request);
        n += 1;
    }
    barrier.wait();
    let until = Instant::now() + time;
    loop {
        request.clear();
        (target.make)(number, n, &mut request);
        n += 1;
        let sent = Instant::now();
        let (status, body) = connection.ask(&request);
        nanos.push(u64::try_from(sent.elapsed().as_nanos()).unwrap_or(u64::MAX));
        if !(200..300).contains(&status) && status != 304 {
            errors += 1;
            first.get_or_insert_with(|| format!("{status} {}", String::from_utf8_lossy(body)));
        }
        if Instant::now() >= until {
            return (nanos, errors, first);
        }
    }
}
