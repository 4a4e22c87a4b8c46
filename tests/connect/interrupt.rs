//! A request to stop ends a wait for the server: the statement is cancelled, or the connection is dropped.

use super::psql::environment;
use super::server::{Server, Wish};
use migrate::pg::connect::{ReadOnly, resolve};
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

/// The time within which a wait must end, on a busy machine.
const SOON: Duration = Duration::from_secs(10);

fn signal(name: &str, process: &str) {
    assert!(Command::new("kill").args([name, process]).status().expect("kill").success(), "kill {name} {process}");
}

/// The end of a wait.
struct EndOfWait {
    state: Option<String>,
    /// The next statement is answered.
    next: bool,
    /// Since the request to stop.
    time: Duration,
}

/// Waits in `pg_sleep` until a request to stop, which comes when the server is seen to sleep, or when its process is `frozen`.
fn interrupted(frozen: bool) -> EndOfWait {
    let server = Server::start(&Wish::default());
    let home = tempfile::tempdir().expect("a home");
    let string = format!("host={} port={} user=postgres dbname=postgres", server.socket(), server.port);
    let settings = resolve(Some(&string), &environment(&[], home.path())).expect("settings");
    let mut client = settings.connect(ReadOnly(false)).unwrap_or_else(|e| panic!("{e}"));
    let asked = Arc::new(AtomicBool::new(false));
    client.interrupt_when(Arc::clone(&asked));
    std::thread::scope(|scope| {
        let asking = scope.spawn(|| {
            let asleep = "SELECT pid FROM pg_stat_activity WHERE wait_event = 'PgSleep'";
            let mut process = String::new();
            while process.is_empty() {
                process = server.sql(asleep).trim().to_owned();
            }
            if frozen {
                signal("-STOP", &process);
            }
            asked.store(true, Ordering::SeqCst);
            (process, Instant::now())
        });
        let error = client.batch_execute("SELECT pg_sleep(600)").expect_err("it ends early");
        let (process, began) = asking.join().expect("a request");
        let time = began.elapsed();
        println!("frozen: {frozen}: {time:?}");
        let next = client.query("SELECT 1", &[]).is_ok();
        if frozen {
            signal("-CONT", &process);
        }
        EndOfWait { state: error.code().map(|code| code.code().to_owned()), next, time }
    })
}

#[test]
fn a_request_to_stop_cancels_the_statement_and_keeps_the_connection() {
    let EndOfWait { state, next, time } = interrupted(false);
    assert_eq!((state.as_deref(), next), (Some("57014"), true));
    assert!(time < SOON, "{time:?}");
}

#[test]
fn a_request_to_stop_ends_the_wait_for_a_server_that_does_not_answer() {
    let EndOfWait { state, next, time } = interrupted(true);
    assert_eq!((state, next), (None, false));
    assert!(time < SOON, "{time:?}");
}
