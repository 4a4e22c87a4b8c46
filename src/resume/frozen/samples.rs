//! Loads and tables that use everything of which a fingerprint is made. They need not make sense together.

use std::collections::BTreeMap;

use crate::model::cell::RawBuf;
use crate::model::pgtype::{ColumnType, IntervalField, Kind, SilentChange};
use crate::model::recorded::RecordedTable;
use crate::model::rules::{Charset, Epoch, Existing, Offset, Overlap, Rules, Unit, Value, Zone};
use crate::model::schema::{Address, ForeignKey, Sequence, TargetColumn, TargetSchema, TargetTable, TargetUnique};
use crate::model::select::{Expr, Relation, Select};
use crate::plan::{ColumnPlan, Feed, LoadPlan, LookupPlan, PlannedStep};

/// Returns a load for each thing that varies: feeds, modifiers, types, relations.
pub fn loads() -> Vec<LoadPlan> {
    vec![feeds(), modifiers(), types(), written_rows(), query()]
}

fn strings(texts: &[&str]) -> Vec<String> {
    texts.iter().map(|text| (*text).to_owned()).collect()
}

fn column(name: &str, kind: ColumnType, feed: Feed, rules: Rules) -> ColumnPlan {
    ColumnPlan { name: name.to_owned(), kind, not_null: false, feed, rules, declared: None, shift: None, refers: None }
}

fn text_type() -> ColumnType {
    ColumnType::new(Kind::Text, 25, "text")
}

fn sequence() -> Sequence {
    Sequence {
        name: "public.\"People_id_seq\"".to_owned(),
        increment: -2,
        start: -1,
        min: i64::MIN,
        max: -1,
        owned: true,
    }
}

fn load(name: &str, select: Select, columns: Vec<ColumnPlan>) -> LoadPlan {
    LoadPlan {
        name: name.to_owned(),
        table: "people".to_owned(),
        source: "People \"old\"".to_owned(),
        select,
        columns,
        conflict: None,
        when_empty: false,
        existing: None,
        surrogate: None,
        triggers_fire: false,
        as_text: false,
        unfed: Vec::new(),
    }
}

fn feeds() -> LoadPlan {
    let exprs = vec![
        Expr::Column("E-mail\ttext".to_owned()),
        Expr::Sql("lower(name) || 'ß\\'\n".to_owned()),
        Expr::Column("city".to_owned()),
    ];
    let lookup = LookupPlan {
        table: "cities".to_owned(),
        take: "id".to_owned(),
        take_kind: ColumnType::new(Kind::Int4, 23, "integer"),
        steps: vec![
            PlannedStep {
                target: vec![("lower(name)".to_owned(), text_type()), ("zip".to_owned(), mood(16_401))],
                source: vec![2, 1],
                nocase: true,
            },
            PlannedStep { target: vec![("name".to_owned(), text_type())], source: vec![2], nocase: false },
        ],
        ambiguous_is_fault: true,
        missing: Value::Fault,
        quiet: true,
        reference: None,
        rules: Rules { trim: true, ..Rules::default() },
    };
    let constants = [
        ("null", Value::Null),
        ("now", Value::Now),
        ("its_owner", Value::Owner),
        ("variable", Value::Env("HOME_CITY".to_owned())),
        ("fault", Value::Fault),
        ("literal_null", Value::Literal(RawBuf::Null)),
        ("integer", Value::Literal(RawBuf::Integer(-7))),
        ("real", Value::Literal(RawBuf::Real(0.1))),
        ("whole_real", Value::Literal(RawBuf::Real(1e21))),
        ("no_number", Value::Literal(RawBuf::Real(f64::INFINITY))),
        ("text", Value::Literal(RawBuf::text("a \"b\" é"))),
        ("bytes", Value::Literal(RawBuf::Text(vec![0xff, 0x41]))),
        ("blob", Value::Literal(RawBuf::Blob(vec![0, 255]))),
    ];
    let mut columns = vec![
        column("email", text_type(), Feed::Cell(0), Rules::default()),
        column("name", text_type(), Feed::Cell(1), Rules::default()),
        column("owner", text_type(), Feed::Owner, Rules::default()),
        column("id", text_type(), Feed::Issued(sequence()), Rules::default()),
        column("city", text_type(), Feed::Lookup(Box::new(lookup)), Rules::default()),
    ];
    columns[0].not_null = true;
    columns[0].declared = Some("VARCHAR(20)".to_owned());
    columns[1].shift = Some("people".to_owned());
    let constant = |(name, value)| column(name, text_type(), Feed::Constant(value), Rules::default());
    columns.extend(constants.into_iter().map(constant));
    let select = Select {
        relation: Relation::Table("People \"old\"".to_owned()),
        address: Address::Rowid("_rowid_".to_owned()),
        exprs,
        params: BTreeMap::new(),
    };
    LoadPlan {
        conflict: Some(strings(&["email", "name"])),
        when_empty: true,
        existing: Some(Existing::Append),
        triggers_fire: true,
        as_text: true,
        unfed: strings(&["created", "search"]),
        ..load("feeds", select, columns)
    }
}

fn modifiers() -> LoadPlan {
    let all = Rules {
        charset: Some(Charset::Windows1252),
        blob_as_text: true,
        strip_nul: true,
        trim: true,
        null_if: strings(&["", "n/a"]),
        map: vec![("y".to_owned(), Value::Literal(RawBuf::Integer(1))), ("?".to_owned(), Value::Null)],
        map_else: Some(Value::Fault),
        epoch: Some(Epoch::Julian),
        format: vec!["%d.%m.%Y".to_owned()],
        offset: Some(Offset::Drop),
        overlap: Some(Overlap::Later),
        zone: Zone::parse("America/Argentina/Buenos_Aires"),
        unit: Some(Unit::Micros),
        array_csv: true,
        since: None,
        packed: None,
        uuid_bytes: None,
        if_bad: Some(Value::Now),
        round: true,
        truncate: true,
        if_orphan: Some(Value::Owner),
        drop_orphan: false,
        if_null: Some(Value::Env("CITY".to_owned())),
    };
    let none = Rules::default;
    let others = [
        all,
        Rules { charset: Some(Charset::Latin1), epoch: Some(Epoch::Seconds), ..none() },
        Rules { epoch: Some(Epoch::Millis), offset: Some(Offset::Zone), ..none() },
        Rules { epoch: Some(Epoch::Micros), overlap: Some(Overlap::Earlier), ..none() },
        Rules { epoch: Some(Epoch::Nanos), zone: Some(Zone::Fixed(-19_800)), ..none() },
        Rules { unit: Some(Unit::Seconds), zone: Zone::parse("Etc/GMT+5"), ..none() },
        Rules { unit: Some(Unit::Millis), if_null: Some(Value::Null), ..none() },
    ];
    let columns = others.into_iter().enumerate();
    let columns = columns.map(|(n, rules)| column(&format!("m{n}"), text_type(), Feed::Cell(n), rules)).collect();
    let select = Select {
        relation: Relation::Table("t".to_owned()),
        address: Address::Key(strings(&["a", "b"])),
        exprs: (0..7).map(|n| Expr::Column(format!("m{n}"))).collect(),
        params: BTreeMap::new(),
    };
    load("modifiers", select, columns)
}

fn mood(oid: u32) -> ColumnType {
    ColumnType::new(Kind::Enum { labels: strings(&["sad", "very \"happy\""]) }, oid, "public.mood")
}

fn types() -> LoadPlan {
    let kinds = vec![
        (Kind::Bool, 16, "boolean"),
        (Kind::Int2, 21, "smallint"),
        (Kind::Int4, 23, "integer"),
        (Kind::Int8, 20, "bigint"),
        (Kind::Float4, 700, "real"),
        (Kind::Float8, 701, "double precision"),
        (Kind::Numeric { limit: None }, 1700, "numeric"),
        (Kind::Numeric { limit: Some((10, -2)) }, 1700, "numeric(10,-2)"),
        (Kind::Text, 25, "text"),
        (Kind::Varchar { limit: None }, 1043, "character varying"),
        (Kind::Varchar { limit: Some(50) }, 1043, "character varying(50)"),
        (Kind::Char { width: 3 }, 1042, "character(3)"),
        (Kind::Citext, 16_500, "public.citext"),
        (Kind::Bytea, 17, "bytea"),
        (Kind::Date, 1082, "date"),
        (Kind::Time { precision: 6 }, 1083, "time without time zone"),
        (Kind::Timestamp { precision: 3 }, 1114, "timestamp(3) without time zone"),
        (Kind::Timestamptz { precision: 0 }, 1184, "timestamp(0) with time zone"),
        (Kind::Interval { precision: 6 }, 1186, "interval"),
        (interval(IntervalField::Year), 1186, "interval year"),
        (interval(IntervalField::Month), 1186, "interval month"),
        (interval(IntervalField::Day), 1186, "interval day"),
        (interval(IntervalField::Hour), 1186, "interval hour"),
        (interval(IntervalField::Minute), 1186, "interval minute"),
        (interval(IntervalField::Second), 1186, "interval second(2)"),
        (Kind::Uuid, 2950, "uuid"),
        (Kind::Json, 114, "json"),
        (Kind::Jsonb, 3802, "jsonb"),
        (Kind::Inet, 869, "inet"),
        (mood(16_390).kind, 16_390, "public.mood"),
        (Kind::Array(Box::new(mood(16_390))), 16_389, "public.mood[]"),
        (Kind::Money, 790, "money"),
        (Kind::Timetz { precision: 6 }, 1266, "time with time zone"),
        (Kind::Range(Box::new(ColumnType::new(Kind::Int4, 23, "integer"))), 3904, "int4range"),
        (Kind::Hstore, 16_600, "public.hstore"),
        (Kind::Tsvector, 3614, "tsvector"),
        (Kind::Cidr, 650, "cidr"),
        (Kind::Geometry, 600, "point"),
        (Kind::Bent { how: SilentChange::CurrencyUnit }, 790, "money"),
        (Kind::Bent { how: SilentChange::CutTo63Bytes }, 19, "name"),
        (Kind::Bent { how: SilentChange::CutToOneByte }, 18, "\"char\""),
        (Kind::Bent { how: SilentChange::EightBytesOfSix }, 774, "macaddr8"),
        (Kind::Bent { how: SilentChange::Computed }, 628, "line"),
        (Kind::Bent { how: SilentChange::PartsRounded }, 16_700, "public.pair"),
        (Kind::Bent { how: SilentChange::Internal }, 22, "int2vector"),
        (Kind::Other, 142, "xml"),
    ];
    let columns = kinds.into_iter().enumerate().map(|(n, (kind, oid, name))| {
        let kind = ColumnType { bytewise: n == 8, finite: n == 6, ..ColumnType::new(kind, oid, name) };
        let domain = (n == 10).then(|| "public.\"E-mail\"".to_owned());
        column(&format!("t{n}"), ColumnType { domain, ..kind }, Feed::Cell(0), Rules::default())
    });
    let select = Select {
        relation: Relation::Table("t".to_owned()),
        address: Address::Ordinal,
        exprs: vec![Expr::Column("a".to_owned())],
        params: BTreeMap::new(),
    };
    load("types", select, columns.collect())
}

fn interval(least: IntervalField) -> Kind {
    Kind::IntervalOf { least, precision: 2 }
}

fn written_rows() -> LoadPlan {
    let rows = vec![vec![RawBuf::Integer(1), RawBuf::text("one")], vec![RawBuf::Null, RawBuf::Real(-2.5)]];
    let select = Select {
        relation: Relation::Rows { columns: strings(&["id", "name"]), rows },
        address: Address::Ordinal,
        exprs: vec![Expr::Column("id".to_owned()), Expr::Column("name".to_owned())],
        params: BTreeMap::new(),
    };
    load("rows", select, vec![column("name", text_type(), Feed::Cell(1), Rules::default())])
}

fn query() -> LoadPlan {
    let params = [("now", RawBuf::text("2024-01-01 00:00:00")), ("tenant", RawBuf::Integer(3))];
    let select = Select {
        relation: Relation::Sql("SELECT DISTINCT \"a\"\n  FROM t WHERE b = :tenant".to_owned()),
        address: Address::Ordinal,
        exprs: Vec::new(),
        params: params.into_iter().map(|(name, value)| (name.to_owned(), value)).collect(),
    };
    load("query", select, Vec::new())
}

/// Returns a schema with one table that is loaded and one that is not.
pub fn target() -> TargetSchema {
    let sequence = Some(sequence());
    let plain = |name: &str, kind: ColumnType| TargetColumn {
        name: name.to_owned(),
        kind,
        not_null: false,
        has_default: false,
        generated: false,
        sequence: None,
        draws: None,
        drawn_in_partitions: Vec::new(),
    };
    let email = ColumnType { domain: Some("public.\"E-mail\"".to_owned()), ..text_type() };
    let people = TargetTable {
        oid: 16_999,
        columns: vec![
            TargetColumn { not_null: true, has_default: true, sequence, ..plain("id", text_type()) },
            TargetColumn { generated: true, draws: Some("public.other".to_owned()), ..plain("email", email) },
            plain("mood", mood(16_390)),
        ],
        unique: vec![
            TargetUnique {
                name: "people_pkey".to_owned(),
                columns: strings(&["id"]),
                primary: true,
                ..TargetUnique::default()
            },
            TargetUnique {
                name: "people_email".to_owned(),
                columns: strings(&["email", "mood"]),
                primary: false,
                nulls_equal: true,
                loose: true,
                deferrable: true,
            },
        ],
        foreign: vec![ForeignKey {
            name: "people_city".to_owned(),
            columns: strings(&["city", "land"]),
            parent_schema: "geo".to_owned(),
            parent: "cities".to_owned(),
            parent_columns: strings(&["id", "land"]),
            cascades: true,
            deferrable: true,
            match_full: true,
            is_enforced: true,
        }],
        checks: vec![("people_check".to_owned(), "CHECK ((id > 0) OR (email = '\"'))".to_owned())],
        triggers: vec![("people_audit".to_owned(), 'O'), ("people_log".to_owned(), 'A')],
        bending: strings(&["people_audit"]),
        has_rows: true,
        unlogged: true,
        heirs: strings(&["people_old"]),
        rules: Vec::new(),
        inserting: strings(&["people_audit"]),
        altered: Vec::new(),
    };
    let tables = [("people".to_owned(), people), ("cities".to_owned(), TargetTable::default())];
    TargetSchema { schema: "public".to_owned(), tables: tables.into(), ..TargetSchema::default() }
}

/// Returns a table as a run records it, with a column of every type.
pub fn recorded() -> RecordedTable {
    let target = target();
    let mut table = target.tables["people"].clone();
    let like = table.columns[2].clone();
    let kinds = types().columns.into_iter().map(|column| (column.name, column.kind));
    table.columns.extend(kinds.map(|(name, kind)| TargetColumn { name, kind, ..like.clone() }));
    RecordedTable::of(&table)
}
