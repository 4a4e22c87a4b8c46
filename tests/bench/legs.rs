//! Times the legs of a load that need no server: scanning alone, and scanning with conversion and encoding.
//!
//! `legs SOURCE` prints rows and nanoseconds a row, of the clock and of the processor; `legs --values [NAME]` what one value
//! of each type costs. What needs a server is in `bench.sh` beside this file.

mod values;

use std::collections::BTreeMap;
use std::ops::ControlFlow;
use std::path::Path;
use std::time::Instant;

use migrate::convert::Settled;
use migrate::convert::row::{Maps, Notes, RowEncoder};
use migrate::model::key::Key;
use migrate::model::pgtype::{ColumnType, Kind};
use migrate::model::rules::Rules;
use migrate::model::schema::Address;
use migrate::model::select::{Expr, Failed, Relation, Row, Select, Sink};
use migrate::plan::{ColumnPlan, Feed, LoadPlan};
use migrate::source::{Options, Source};

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

struct Scan {
    rows: u64,
    bytes: usize,
    columns: usize,
}

impl Sink for Scan {
    fn row(&mut self, row: &dyn Row) -> ControlFlow<()> {
        self.rows += 1;
        for n in 0..self.columns {
            self.bytes += row.cell(n).bytes();
        }
        ControlFlow::Continue(())
    }

    fn failed(&mut self, _: Key, _: Failed) -> ControlFlow<()> {
        ControlFlow::Break(())
    }
}

struct Encode {
    encoder: RowEncoder,
    notes: Notes,
    out: Vec<u8>,
    rows: u64,
    bytes: usize,
    faults: usize,
}

impl Sink for Encode {
    fn row(&mut self, row: &dyn Row) -> ControlFlow<()> {
        self.rows += 1;
        self.encoder.encode(row, &mut self.out, &mut self.notes);
        self.faults += self.notes.faults.len();
        if self.out.len() > 1 << 20 {
            self.bytes += self.out.len();
            self.out.clear();
        }
        ControlFlow::Continue(())
    }

    fn failed(&mut self, _: Key, _: Failed) -> ControlFlow<()> {
        ControlFlow::Break(())
    }
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut args = std::env::args().skip(1);
    let path = args.next().ok_or("legs SOURCE, or legs --values [NAME]")?;
    if path == "--values" {
        return values::print(&args.next().unwrap_or_default());
    }
    let source = Source::open(Path::new(&path), &Options::default())?;
    let reader = source.reader()?;
    let exprs: Vec<Expr> = columns().iter().map(|(name, _)| Expr::Column((*name).to_owned())).collect();
    let select = Select {
        relation: Relation::Table("t".to_owned()),
        address: Address::Rowid("rowid".to_owned()),
        exprs,
        params: BTreeMap::new(),
    };
    let began = Began::now();
    let mut scan = Scan { rows: 0, bytes: 0, columns: columns().len() };
    reader.scan(&select, None, None, &mut scan)?;
    shown("scan", &began, scan.rows, scan.bytes);
    let planned = columns().into_iter().enumerate().map(|(n, (name, kind))| ColumnPlan {
        name: name.to_owned(),
        kind: ColumnType { kind, oid: 0, name: name.to_owned(), domain: None, bytewise: false },
        not_null: false,
        feed: Feed::Cell(n),
        rules: Rules::default(),
        declared: None,
        shift: None,
    });
    let load = LoadPlan {
        name: "t".to_owned(),
        table: "t".to_owned(),
        source: "t".to_owned(),
        columns: planned.collect(),
        select: select.clone(),
        conflict: None,
        when_empty: false,
        append: false,
        triggers_fire: false,
        as_text: false,
    };
    let encoder = RowEncoder::new(&load, &Settled::default(), &Maps::new()).map_err(|r| format!("{r:?}"))?;
    let mut encode = Encode { encoder, notes: Notes::default(), out: Vec::new(), rows: 0, bytes: 0, faults: 0 };
    let began = Began::now();
    reader.scan(&select, None, None, &mut encode)?;
    shown("scan + convert + encode", &began, encode.rows, encode.bytes);
    if encode.faults > 0 {
        return Err(format!("{} faults in the benchmark's own data", encode.faults).into());
    }
    Ok(())
}

/// When a leg began, by the clock and in nanoseconds that this thread had been on a processor.
struct Began {
    clock: Instant,
    processor: u64,
}

impl Began {
    fn now() -> Began {
        Began { clock: Instant::now(), processor: processor() }
    }
}

/// Nanoseconds that this thread was on a processor; 0 where the system does not say.
fn processor() -> u64 {
    let text = std::fs::read_to_string("/proc/thread-self/schedstat").unwrap_or_default();
    text.split(' ').next().and_then(|nanos| nanos.parse().ok()).unwrap_or(0)
}

fn shown(leg: &str, began: &Began, rows: u64, bytes: usize) {
    let (clock, busy) = (began.clock.elapsed().as_nanos() as u64, processor() - began.processor);
    let each = |nanos: u64| nanos / rows.max(1);
    println!("{leg}: {rows} rows, {bytes} bytes, {} ns a row by the clock, {} of processor", each(clock), each(busy));
}
