//! A slow network: how often the tool waits for an answer, counted by a relay that adds time each way.

use std::io::{Read, Write};
use std::net::TcpListener;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc;
use std::time::{Duration, Instant};

use super::support::case::Case;
use super::support::postgres::socket;

/// A stretch of network that takes its time, and counts how often an answer was followed by another question.
struct Relay {
    port: u16,
    trips: Arc<AtomicU64>,
}

impl Relay {
    fn with(delay: Duration) -> Relay {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a listener");
        let port = listener.local_addr().expect("its address").port();
        let trips = Arc::new(AtomicU64::new(0));
        let counted = Arc::clone(&trips);
        std::thread::spawn(move || {
            for client in listener.incoming().flatten() {
                let _ = client.set_nodelay(true);
                let server =
                    socket2::Socket::new(socket2::Domain::UNIX, socket2::Type::STREAM, None).expect("a socket");
                let address = socket2::SockAddr::unix(format!("{}/.s.PGSQL.5432", socket())).expect("its path");
                server.connect(&address).expect("the server");
                let (client_too, server_too) =
                    (client.try_clone().expect("a client"), server.try_clone().expect("a server"));
                let answered = Arc::new(AtomicBool::new(true));
                let (asked, trips) = (Arc::clone(&answered), Arc::clone(&counted));
                carry(client, server, delay, move || {
                    if asked.swap(false, Ordering::SeqCst) {
                        trips.fetch_add(1, Ordering::SeqCst);
                    }
                });
                carry(server_too, client_too, delay, move || answered.store(true, Ordering::SeqCst));
            }
        });
        Relay { port, trips }
    }

    fn url(&self, database: &str) -> String {
        format!("postgresql://postgres@127.0.0.1:{}/{database}?sslmode=disable", self.port)
    }
}

/// Passes on what comes, each piece so much later; pieces on their way do not wait for one another.
fn carry(
    mut from: impl Read + Send + 'static,
    mut to: impl Write + Send + 'static,
    delay: Duration,
    heard: impl Fn() + Send + 'static,
) {
    let (send, receive) = mpsc::channel::<(Instant, Vec<u8>)>();
    std::thread::spawn(move || {
        let mut piece = vec![0; 64 * 1024];
        while let Ok(n @ 1..) = from.read(&mut piece) {
            heard();
            if send.send((Instant::now() + delay, piece[..n].to_vec())).is_err() {
                break;
            }
        }
    });
    std::thread::spawn(move || {
        for (due, piece) in receive {
            std::thread::sleep(due.saturating_duration_since(Instant::now()));
            if to.write_all(&piece).is_err() {
                break;
            }
        }
    });
}

/// Moves a table of so many rows and columns in batches of so many rows, and gives the number of round trips.
fn trips(rows: u32, columns: u32, batch: u32, delay: Duration) -> u64 {
    let each = |with: &dyn Fn(u32) -> String| (0..columns).map(with).collect::<Vec<_>>().join(", ");
    let source = format!(
        "CREATE TABLE t (id INTEGER PRIMARY KEY, {});
         WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < {rows}) INSERT INTO t SELECT i, {} FROM n;",
        each(&|n| format!("c{n} TEXT")),
        each(&|n| format!("'value {n} of ' || i"))
    );
    let target = format!("CREATE TABLE t (id bigserial PRIMARY KEY, {})", each(&|n| format!("c{n} text")));
    let case = Case::new(&source, &target, "[load.t]\n");
    let relay = Relay::with(delay);
    let (url, batch) = (relay.url(case.target.name()), batch.to_string());
    let began = Instant::now();
    case.place.migrate(["--yes", "--jobs", "1", "--batch-rows", &batch, "-t", &url]).exits(0);
    let trips = relay.trips.load(Ordering::SeqCst);
    println!(
        "{rows} rows, {columns} columns, batches of {batch}: {trips} round trips, {:.1} s",
        began.elapsed().as_secs_f64()
    );
    assert_eq!(case.target.count("t"), u64::from(rows));
    trips
}

/// BEGIN, the ledger's row, a savepoint, COPY and its end, the savepoint's release, the ledger's sums, COMMIT.
const A_BATCH: u64 = 8;

/// An answer may reach the relay in two pieces with a question between them, and two answers in one.
const SLACK: u64 = 5;

#[test]
fn a_batch_costs_a_fixed_number_of_round_trips() {
    let few = trips(1_000, 3, 200, Duration::ZERO);
    let many = trips(9_000, 3, 200, Duration::ZERO);
    assert!((many - few).abs_diff(40 * A_BATCH) <= SLACK, "{} for forty batches more", many - few);
}

#[test]
fn neither_rows_nor_columns_cost_a_round_trip() {
    let few = trips(400, 2, 200, Duration::ZERO);
    assert!(trips(400, 40, 200, Duration::ZERO).abs_diff(few) <= SLACK, "with twenty times the columns");
    assert!(
        trips(4_000, 2, 2_000, Duration::ZERO).abs_diff(few) <= SLACK,
        "with ten times the rows in as many batches"
    );
}

#[test]
fn a_network_of_fifty_milliseconds_each_way_is_borne() {
    let (slow, fast) = (trips(2_000, 2, 500, Duration::from_millis(50)), trips(2_000, 2, 500, Duration::ZERO));
    assert!(slow.abs_diff(fast) <= SLACK, "{slow} round trips of a slow network, {fast} of a fast one");
}
