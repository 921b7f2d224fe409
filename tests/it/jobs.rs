//! Background work: claimed by lease, tried again, given up, and never done twice at once.

use cairn::db::schema::jobs;
use cairn::error::{AppError, AppResult};
use cairn::jobs::queue::{self, Claimed};
use cairn::jobs::worker::{self, JobKind};
use cairn::state::State;
use diesel::{QueryDsl, RunQueryDsl};

use crate::support::{TestApp, Value, json};

fn enqueue(app: &TestApp, kind: &'static str, key: Option<&'static str>) {
    let now = app.state.clock.now();
    app.state.db.write_here(move |conn| queue::enqueue(conn, kind, key, json!({}), now, now)).unwrap();
}

fn claim(app: &TestApp) -> Option<Claimed> {
    let now = app.state.clock.now();
    app.state.db.write_here(move |conn| queue::claim(conn, now)).unwrap()
}

/// State, attempts and last error of every job.
fn all(app: &TestApp) -> Vec<(String, i32, Option<String>)> {
    app.state
        .db
        .read_here(|conn| Ok(jobs::table.select((jobs::state, jobs::attempts, jobs::last_error)).load(conn)?))
        .unwrap()
}

fn fails(_: &State, _: &Value) -> AppResult<()> {
    Err(AppError::internal("the disk is on holiday"))
}

fn panics(_: &State, _: &Value) -> AppResult<()> {
    panic!("nobody expected this")
}

fn succeeds(_: &State, _: &Value) -> AppResult<()> {
    Ok(())
}

fn kind(name: &'static str, every_seconds: Option<i64>, run: worker::Handler) -> JobKind {
    JobKind { name, every_seconds, run }
}

both! {
    fn a_job_whose_worker_died_is_taken_over_when_its_lease_ends(app) {
        enqueue(app, "anything", None);
        let first = claim(app).unwrap();
        assert_eq!((first.kind.as_str(), first.attempts), ("anything", 1));
        assert!(claim(app).is_none(), "it is held");
        app.advance(14);
        assert!(claim(app).is_none(), "still");
        let renew = |job: &cairn::jobs::queue::Claimed| {
            let (now, id, attempt) = (app.state.clock.now(), job.id, job.attempts);
            app.state.db.write_here(move |conn| cairn::jobs::queue::renew(conn, id, attempt, now)).unwrap();
        };
        renew(&first);
        app.advance(14);
        assert!(claim(app).is_none(), "who works on it holds it");
        app.advance(2);
        let second = claim(app).unwrap();
        assert_eq!((second.id, second.attempts), (first.id, 2));
        // The first is not dead after all: it can neither hold nor end what is another's now.
        app.advance(10);
        renew(&first);
        let now = app.state.clock.now();
        app.state.db.write_here(move |conn| cairn::jobs::queue::finish(conn, &first, Ok(()), now)).unwrap();
        app.advance(6);
        assert_eq!(claim(app).unwrap().attempts, 3);
    }

    fn a_job_that_ends_every_worker_is_given_up(app) {
        enqueue(app, "deadly", Some("deadly"));
        for attempt in 1..=10 {
            assert_eq!(claim(app).unwrap().attempts, attempt);
            app.advance(61);
        }
        assert!(claim(app).is_none(), "ten workers are enough");
        let left = all(app);
        assert_eq!((left.len(), left[0].0.as_str(), left[0].1), (1, "failed", 10));
        assert!(left[0].2.as_deref().unwrap().contains("died"), "{left:?}");
    }

    fn workers_that_race_take_each_job_once(app) {
        for _ in 0..40 {
            enqueue(app, "anything", None);
        }
        let mut taken: Vec<uuid::Uuid> = std::thread::scope(|scope| {
            let workers: Vec<_> = (0..4).map(|_| scope.spawn(|| std::iter::from_fn(|| claim(app)).map(|job| job.id).collect::<Vec<_>>())).collect();
            workers.into_iter().flat_map(|worker| worker.join().unwrap()).collect()
        });
        taken.sort();
        let count = taken.len();
        taken.dedup();
        assert_eq!((count, taken.len()), (40, 40));
    }

    fn what_fails_is_tried_again_later_and_in_the_end_kept_for_people_to_see(app) {
        let kinds = [kind("broken", None, fails)];
        enqueue(app, "broken", None);
        assert_eq!(worker::drain(&app.state, &kinds).unwrap(), 1);
        assert_eq!(worker::drain(&app.state, &kinds).unwrap(), 0, "not at once");
        assert_eq!((all(app)[0].0.as_str(), all(app)[0].1), ("queued", 1));
        app.advance(3);
        assert_eq!(worker::drain(&app.state, &kinds).unwrap(), 1, "after two seconds");
        app.advance(3);
        assert_eq!(worker::drain(&app.state, &kinds).unwrap(), 0, "the delay grows");
        for _ in 0..20 {
            app.advance(5000);
            worker::drain(&app.state, &kinds).unwrap();
        }
        let (state, attempts, error) = all(app).remove(0);
        assert_eq!((state.as_str(), attempts), ("failed", 10));
        assert!(error.is_some());
    }

    fn one_that_panics_or_is_unknown_does_not_hold_up_the_others(app) {
        let kinds = [kind("panics", None, panics), kind("good", None, succeeds)];
        enqueue(app, "panics", None);
        enqueue(app, "of_another_version", None);
        enqueue(app, "good", None);
        assert_eq!(worker::drain(&app.state, &kinds).unwrap(), 3);
        let left = all(app);
        assert_eq!(left.len(), 2, "{left:?}");
        assert!(left.iter().all(|(state, attempts, error)| state == "queued" && *attempts == 1 && error.is_some()), "{left:?}");
    }

    fn a_job_of_one_key_waits_once(app) {
        enqueue(app, "good", Some("key"));
        enqueue(app, "good", Some("key"));
        enqueue(app, "good", Some("other"));
        assert_eq!(worker::drain(&app.state, &[kind("good", None, succeeds)]).unwrap(), 2);
        enqueue(app, "good", Some("key"));
        assert_eq!(all(app).len(), 1, "and again once it is done");
    }

    fn what_recurs_runs_once_a_period_for_all_servers(app) {
        let kinds = [kind("hourly", Some(3600), succeeds)];
        let other = app.state.clone();
        assert_eq!(worker::drain(&app.state, &kinds).unwrap(), 1);
        assert_eq!(worker::drain(&other, &kinds).unwrap(), 0);
        app.advance(3600);
        assert_eq!(worker::drain(&other, &kinds).unwrap(), 1);
    }

    fn what_recurs_comes_back_after_it_was_given_up(app) {
        for _ in 0..20 {
            worker::drain(&app.state, &[kind("hourly", Some(3600), fails)]).unwrap();
            app.advance(5000);
        }
        assert!(all(app).iter().any(|(state, ..)| state == "failed"));
        app.advance(3600);
        assert!(worker::drain(&app.state, &[kind("hourly", Some(3600), succeeds)]).unwrap() > 0, "a new version repairs it");
    }
}
