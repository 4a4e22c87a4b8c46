//! How long a scan takes: printed, not asserted. `cargo test --release --lib source_speed -- --ignored --nocapture`

use std::time::Instant;

use super::*;

/// Looks at each cell and keeps nothing.
#[derive(Default)]
struct Sums {
    rows: u64,
    bytes: u64,
}

impl Sink for Sums {
    fn row(&mut self, row: &dyn Row) -> ControlFlow<()> {
        self.rows += 1;
        self.bytes += (0..11).map(|n| row.cell(n).bytes() as u64).sum::<u64>();
        ControlFlow::Continue(())
    }

    fn failed(&mut self, _: Key, _: Option<usize>) -> ControlFlow<()> {
        ControlFlow::Break(())
    }
}

/// Nanoseconds that this thread was on a processor; 0 where the system does not say.
fn processor() -> u64 {
    let text = std::fs::read_to_string("/proc/thread-self/schedstat").unwrap_or_default();
    text.split(' ').next().and_then(|nanos| nanos.parse().ok()).unwrap_or(0)
}

#[test]
#[ignore = "measures"]
fn source_speed() {
    let (_folder, path) = database(
        "PRAGMA journal_mode = OFF; PRAGMA synchronous = OFF;
         CREATE TABLE t(id INTEGER PRIMARY KEY, day DATE, amount DECIMAL(12,2), ok BOOLEAN, data JSON, at DATETIME,
                        a TEXT, b TEXT, c TEXT, d TEXT, e INTEGER);
         WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 2000000)
         INSERT INTO t SELECT i, date(1600000000 + i, 'unixepoch'), i / 100.0, i % 2, '{\"n\":' || i || '}',
                datetime(1600000000 + i, 'unixepoch'), 'merchant ' || i % 977, 'note', NULL, 'category ' || i % 13, i % 31 FROM n;",
    );
    let source = Source::open(&path, &Options { readers: 2, ..Options::default() }).unwrap();
    let columns = ["id", "day", "amount", "ok", "data", "at", "a", "b", "c", "d", "e"];
    let select = select(&source, "t", &columns);
    let reader = source.reader().unwrap();
    for _ in 0..3 {
        let (begun, on_cpu, mut sums) = (Instant::now(), processor(), Sums::default());
        reader.scan(&select, None, None, &mut sums).unwrap();
        let (wall, busy) = (begun.elapsed().as_nanos() / u128::from(sums.rows), (processor() - on_cpu) / sums.rows);
        println!("one reader: {busy} ns/row of processor, {wall} by the clock ({} bytes of cells)", sums.bytes);
    }
    let begun = Instant::now();
    let cuts = reader.split(&select, 2).unwrap();
    println!("split in two: {:?}", begun.elapsed());
    drop(reader);
    let begun = Instant::now();
    std::thread::scope(|scope| {
        for (after, until) in [(None, cuts.first()), (cuts.first(), None)] {
            let (source, select) = (&source, &select);
            scope.spawn(move || source.reader().unwrap().scan(select, after, until, &mut Sums::default()).unwrap());
        }
    });
    println!("two readers: {} ns/row", begun.elapsed().as_nanos() / 2_000_000);
    let begun = Instant::now();
    source.reader().unwrap().losses(source.schema()).unwrap();
    println!("losses: {:?}", begun.elapsed());
}

#[test]
#[ignore = "measures"]
fn source_speed_of_a_dump() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("dump.sql");
    let mut text = String::from("BEGIN;\nCREATE TABLE t(id INTEGER PRIMARY KEY, a TEXT, b REAL);\n");
    for n in 0..500_000 {
        text += &format!("INSERT INTO t VALUES({n},'some text; number {n}',{n}.5);\n");
    }
    std::fs::write(&path, text + "COMMIT;\n").unwrap();
    let begun = Instant::now();
    let source = open(&path);
    println!("500,000 INSERTs, {} bytes: {:?}", source.facts().bytes, begun.elapsed());
}
