//! The legs of a load that need no server, one per process, so that `bench.sh` times them next to those that do.
//!
//! `legs SOURCE scan` reads every cell; `encode` converts and encodes them too, which is one step; `null` does that in two
//! lanes, each over a half of the table, and writes to a target that accepts everything. Each prints rows, bytes and
//! nanoseconds per row, of the clock and of the processor. `legs --values [NAME]` prints the cost of one value per type.

mod values;

use std::collections::BTreeMap;
use std::fs::File;
use std::io::Write;
use std::ops::ControlFlow;
use std::path::Path;
use std::time::Instant;

use migrate::convert::Settled;
use migrate::convert::row::{Maps, Notes, RowEncoder};
use migrate::model::key::{Key, KeyRange};
use migrate::model::pgtype::{ColumnType, Kind};
use migrate::model::rules::Rules;
use migrate::model::schema::Address;
use migrate::model::select::{Expr, Failed, Relation, Row, Select, Sink};
use migrate::plan::{ColumnPlan, Feed, LoadPlan};
use migrate::sqlite::{Source, SourceOptions};

/// Bytes of a write, at least; rows are never cut.
const WRITE: usize = 64 * 1024;

/// The benchmark's columns and what they become.
fn columns() -> Vec<(&'static str, Kind)> {
    vec![
        ("id", Kind::Int8),
        ("day", Kind::Date),
        ("amount", Kind::Numeric { limit: Some((12, 2)) }),
        ("active", Kind::Bool),
        ("extra", Kind::Jsonb),
        ("created_at", Kind::Timestamp { precision: 6 }),
        ("name", Kind::Text),
        ("note", Kind::Text),
        ("account_id", Kind::Int4),
        ("category_id", Kind::Int4),
        ("code", Kind::Text),
    ]
}

/// Rows and bytes that went through a leg, and rows that it could not take.
#[derive(Default)]
struct Passed {
    rows: u64,
    bytes: usize,
    faults: usize,
}

impl Passed {
    fn and(self, other: Passed) -> Passed {
        Passed { rows: self.rows + other.rows, bytes: self.bytes + other.bytes, faults: self.faults + other.faults }
    }
}

struct Scan {
    passed: Passed,
    columns: usize,
}

impl Sink for Scan {
    fn row(&mut self, row: &dyn Row) -> ControlFlow<()> {
        self.passed.rows += 1;
        for n in 0..self.columns {
            self.passed.bytes += row.cell(n).bytes();
        }
        ControlFlow::Continue(())
    }

    fn failed(&mut self, _: Key, _: Failed) -> ControlFlow<()> {
        self.passed.faults += 1;
        ControlFlow::Continue(())
    }
}

struct Encode<'t> {
    encoder: RowEncoder,
    notes: Notes,
    out: Vec<u8>,
    target: &'t mut dyn Write,
    passed: Passed,
    failed: Option<std::io::Error>,
}

impl Encode<'_> {
    fn flush(&mut self) {
        self.passed.bytes += self.out.len();
        self.failed = self.target.write_all(&self.out).err();
        self.out.clear();
    }
}

impl Sink for Encode<'_> {
    fn row(&mut self, row: &dyn Row) -> ControlFlow<()> {
        self.passed.rows += 1;
        self.encoder.encode(row, &mut self.out, &mut self.notes);
        self.passed.faults += self.notes.faults.len();
        if self.out.len() >= WRITE {
            self.flush();
        }
        if self.failed.is_some() { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    }

    fn failed(&mut self, _: Key, _: Failed) -> ControlFlow<()> {
        self.passed.faults += 1;
        ControlFlow::Continue(())
    }
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    const USAGE: &str = "legs SOURCE scan|encode|null, or legs --values [NAME]";
    let mut args = std::env::args().skip(1);
    let path = args.next().ok_or(USAGE)?;
    if path == "--values" {
        return values::print(&args.next().unwrap_or_default());
    }
    let source = Source::open(Path::new(&path), &SourceOptions::default())?;
    let load = load();
    let began = Began::now();
    let passed = match args.next().as_deref() {
        Some("scan") => {
            let mut scan = Scan { passed: Passed::default(), columns: load.columns.len() };
            source.reader()?.scan(&load.select, KeyRange::ALL, &mut scan)?;
            scan.passed
        }
        Some("encode") => lane(&source, &load, KeyRange::ALL, &mut std::io::sink())?,
        Some("null") => {
            let cut = source.reader()?.split(&load.select, 2)?.pop();
            let lane = |part| {
                let mut target = File::options().write(true).open("/dev/null").map_err(|e| e.to_string())?;
                lane(&source, &load, part, &mut target).map_err(|e| e.to_string())
            };
            std::thread::scope(|scope| {
                let second = scope.spawn(|| lane(KeyRange { after: cut.as_ref(), until: None }));
                let first = lane(KeyRange { after: None, until: cut.as_ref() })?;
                Ok::<_, String>(first.and(second.join().map_err(|_| "a lane panicked")??))
            })?
        }
        _ => return Err(USAGE.into()),
    };
    began.shown(&passed);
    if passed.faults > 0 {
        return Err(format!("{} faults in the benchmark's own data", passed.faults).into());
    }
    Ok(())
}

/// One lane's part of the table, converted and encoded into the target in writes of 64 KiB and more.
fn lane(
    source: &Source,
    load: &LoadPlan,
    range: KeyRange<'_>,
    target: &mut dyn Write,
) -> Result<Passed, Box<dyn std::error::Error>> {
    let encoder = RowEncoder::new(load, &Settled::default(), &Maps::new()).map_err(|r| format!("{r:?}"))?;
    let mut encode =
        Encode { encoder, notes: Notes::default(), out: Vec::new(), target, passed: Passed::default(), failed: None };
    source.reader()?.scan(&load.select, range, &mut encode)?;
    encode.flush();
    encode.failed.map_or(Ok(encode.passed), |why| Err(why.into()))
}

/// The plan of the benchmark's one load.
fn load() -> LoadPlan {
    let select = Select {
        relation: Relation::Table("t".to_owned()),
        address: Address::Rowid("rowid".to_owned()),
        exprs: columns().iter().map(|(name, _)| Expr::Column((*name).to_owned())).collect(),
        params: BTreeMap::new(),
    };
    let planned = columns().into_iter().enumerate().map(|(n, (name, kind))| ColumnPlan {
        name: name.to_owned(),
        kind: ColumnType::new(kind, 0, name),
        not_null: false,
        feed: Feed::Cell(n),
        rules: Rules::default(),
        declared: None,
        refers: None,
        shift: None,
    });
    LoadPlan {
        name: "t".to_owned(),
        table: "t".to_owned(),
        source: "t".to_owned(),
        columns: planned.collect(),
        select,
        conflict: None,
        when_empty: false,
        existing: None,
        surrogate: None,
        triggers_fire: false,
        as_text: false,
        unfed: Vec::new(),
    }
}

/// The start of a leg, by the clock and in nanoseconds that this process had been on a processor.
struct Began {
    clock: Instant,
    processor: u64,
}

impl Began {
    fn now() -> Began {
        Began { clock: Instant::now(), processor: processor() }
    }

    /// Nanoseconds a row until now.
    fn shown(&self, passed: &Passed) {
        let each = |nanos: u64| nanos / passed.rows.max(1);
        let (clock, busy) = (each(self.clock.elapsed().as_nanos() as u64), each(processor() - self.processor));
        println!("{} rows, {} bytes, {clock} ns a row by the clock, {busy} of processor", passed.rows, passed.bytes);
    }
}

/// Nanoseconds that all threads of this process were on a processor; 0 where the system does not say.
fn processor() -> u64 {
    // The clock ticks a hundred times a second: close enough for seconds.
    let text = std::fs::read_to_string("/proc/self/stat").unwrap_or_default();
    let after_name = text.rsplit(')').next().unwrap_or_default();
    let ticks = after_name.split(' ').skip(12).take(2).filter_map(|ticks| ticks.parse::<u64>().ok());
    ticks.sum::<u64>() * 10_000_000
}
