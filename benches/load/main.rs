//! Load on a real server, and on a bare actix server beside it in the same run: requests per second, p50, p99 and the ratio
//! of the two. See `benches/README.md`.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::as_conversions,
    clippy::disallowed_methods,
    reason = "a program for developers, which stops with a message when its set-up fails"
)]

mod drive;
mod postgres;
mod server;
mod world;

use std::path::PathBuf;
use std::time::Duration;

use clap::Parser;

use drive::{Measured, Target, measure};
use server::{Bare, Cairn};
use world::World;

/// How a run goes.
#[derive(Parser)]
struct Options {
    /// On a throw-away Postgres cluster instead of a new SQLite file.
    #[arg(long)]
    postgres: bool,
    /// Seconds for each figure.
    #[arg(long, default_value_t = 2.5)]
    seconds: f64,
    /// Numbers of connections.
    #[arg(long, value_delimiter = ',', default_value = "1,4,16,64")]
    connections: Vec<usize>,
    /// A JSON file with `course` and `outline` to take as the large course, instead of a made one of 286 modules.
    #[arg(long)]
    course: Option<PathBuf>,
    /// Only the cases whose name contains this.
    #[arg(long, default_value = "")]
    only: String,
    /// Serve the bare answer on this port and nothing else: how this program starts its yardstick.
    #[arg(long, hide = true)]
    bare: bool,
    /// What `cargo bench` passes.
    #[arg(long, hide = true)]
    bench: bool,
}

fn main() {
    let options = Options::parse();
    if options.bare {
        return server::serve_bare();
    }
    let bare = Bare::start();
    let cluster = options.postgres.then(postgres::Cluster::start);
    let folder = tempfile::tempdir().expect("a folder");
    let url = cluster
        .as_ref()
        .map_or_else(|| format!("sqlite:{}", folder.path().join("load.db").display()), postgres::Cluster::url);
    let cairn = Cairn::start(&url);
    println!("database: {}", if options.postgres { "Postgres" } else { "SQLite" });
    println!("memory, idle: {}", cairn.memory());
    let world = World::make(&cairn.base, options.course.as_deref());
    println!("{} learners in a course of {} and one of {} modules\n", world.learners.len(), world.large, world.small);
    println!(
        "{:<28}{:>5}{:>12}{:>11}{:>11}{:>9}{:>9}",
        "request", "c", "requests/s", "p50 ms", "p99 ms", "to bare", "errors"
    );

    let time = Duration::from_secs_f64(options.seconds);
    for &connections in &options.connections {
        let yardstick =
            measure(&Target::new(bare.address, |_, _, out| world::get("/", "", &[], out)), connections, time);
        row("bare JSON", connections, &yardstick, None);
        for case in world.cases(cairn.address) {
            if case.name.contains(&options.only) {
                let measured = measure(&case.target, connections, time);
                row(case.name, connections, &measured, Some(&yardstick));
            }
        }
        println!("memory, after {connections} connections: {}", cairn.memory());
    }
    std::thread::sleep(Duration::from_secs(3));
    println!("memory, at rest again: {}", cairn.memory());
}

fn row(name: &str, connections: usize, measured: &Measured, yardstick: Option<&Measured>) {
    let rate = measured.per_second();
    let ratio = yardstick.map_or_else(|| "1".to_owned(), |bare| format!("{:.3}", rate / bare.per_second()));
    let (p50, p99) = (measured.quantile_ms(0.50), measured.quantile_ms(0.99));
    println!("{name:<28}{connections:>5}{rate:>12.0}{p50:>11.3}{p99:>11.3}{ratio:>9}{:>9}", measured.errors);
    if let Some(first) = &measured.first_error {
        println!("    first error: {first}");
    }
}
