//! A slow network: how often the tool waits for an answer, counted by a relay that adds latency in each direction.
//!
//! It waits after each Query and each Sync of the protocol; the relay reads no other message.

use std::io::{Read, Write};
use std::net::TcpListener;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc;
use std::time::{Duration, Instant};

use crate::support::case::Case;
use crate::support::postgres::socket;

/// A stretch of network that takes its time, and counts what the client waits for.
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
                let (counted, mut questions) = (Arc::clone(&counted), Questions::default());
                carry(client, server, delay, move |piece| {
                    counted.fetch_add(questions.hear(piece), Ordering::SeqCst);
                });
                carry(server_too, client_too, delay, |_| ());
            }
        });
        Relay { port, trips }
    }

    fn url(&self, database: &str) -> String {
        format!("postgresql://postgres@127.0.0.1:{}/{database}?sslmode=disable", self.port)
    }
}

/// The client's messages as they pass: the first has a length alone, the others a letter before it.
#[derive(Default)]
struct Questions {
    head: Vec<u8>,
    /// Bytes of the message that are still to come.
    body: usize,
    is_open: bool,
}

impl Questions {
    /// The number of messages of this piece after which the client waits.
    fn hear(&mut self, piece: &[u8]) -> u64 {
        let mut found = 0;
        for byte in piece {
            if self.body > 0 {
                self.body -= 1;
                continue;
            }
            self.head.push(*byte);
            if self.head.len() == 4 + usize::from(self.is_open) {
                let (letter, length) = self.head.split_at(self.head.len() - 4);
                found += u64::from(matches!(letter, [b'Q' | b'S']));
                self.body = u32::from_be_bytes(length.try_into().expect("four bytes")) as usize - 4;
                self.is_open = true;
                self.head.clear();
            }
        }
        found
    }
}

/// Passes on what comes, each piece so much later; pieces on their way do not wait for one another.
fn carry(
    mut from: impl Read + Send + 'static,
    mut to: impl Write + Send + 'static,
    delay: Duration,
    mut heard: impl FnMut(&[u8]) + Send + 'static,
) {
    let (send, receive) = mpsc::channel::<(Instant, Vec<u8>)>();
    std::thread::spawn(move || {
        let mut piece = vec![0; 64 * 1024];
        while let Ok(n @ 1..) = from.read(&mut piece) {
            heard(&piece[..n]);
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

/// A statement may be closed now or later.
const SLACK: u64 = 2;

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
fn a_network_with_fifty_milliseconds_latency_is_fast_enough() {
    let (slow, fast) = (trips(2_000, 2, 500, Duration::from_millis(50)), trips(2_000, 2, 500, Duration::ZERO));
    assert!(slow.abs_diff(fast) <= SLACK, "{slow} round trips of a slow network, {fast} of a fast one");
}

#[test]
fn only_the_last_commit_of_a_part_waits_for_the_disk() {
    let case = Case::new(
        "CREATE TABLE t (id INTEGER PRIMARY KEY);
         WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 250) INSERT INTO t SELECT i FROM n;",
        "CREATE TABLE t (id int PRIMARY KEY, how text DEFAULT current_setting('synchronous_commit'))",
        "[load.t]\n",
    );
    case.exits(0, &["--yes", "--jobs", "1", "--batch-rows", "100"]);
    let ways = case.target.value("SELECT string_agg(DISTINCT format('%s until %s', how, until), ', ') FROM (SELECT how, max(id) AS until FROM t GROUP BY how) AS w");
    assert_eq!(ways, "off until 200, on until 250");
}
