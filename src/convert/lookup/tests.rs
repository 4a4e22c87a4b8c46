//! Tests of lookups: the steps, their answers, and the content of the map. The rows do not come from a server.

use super::*;
use crate::model::rules::Rules;

fn kind(kind: Kind, oid: u32) -> ColumnType {
    ColumnType::new(kind, oid, "t")
}

fn step(nocase: bool) -> PlannedStep {
    PlannedStep { target: vec![("email".to_owned(), kind(Kind::Text, 25))], source: vec![0], nocase }
}

fn plan(steps: Vec<PlannedStep>, ambiguous_is_fault: bool, missing: Value) -> LookupPlan {
    LookupPlan {
        table: "users".to_owned(),
        take: "id".to_owned(),
        take_kind: kind(Kind::Int4, 23),
        steps,
        ambiguous_is_fault,
        missing,
        quiet: false,
        reference: None,
        rules: Rules::default(),
    }
}

fn column(not_null: bool) -> ColumnPlan {
    ColumnPlan {
        name: "user_id".to_owned(),
        kind: kind(Kind::Int4, 23),
        not_null,
        feed: crate::plan::Feed::Owner,
        rules: Rules::default(),
        declared: None,
        shift: None,
        refers: None,
    }
}

struct One(RawBuf);

impl Row for One {
    fn cell(&self, _: usize) -> Raw<'_> {
        self.0.as_raw()
    }

    fn key(&self) -> crate::model::key::Key {
        crate::model::key::Key::rowid(1)
    }
}

fn image(email: Option<&str>, id: i32) -> Vec<u8> {
    let mut out = vec![0, 2];
    let email = email.map_or(Cell::Null, |e| Cell::Text(e.into()));
    binary::field(&email, &mut out);
    binary::field(&Cell::Int4(id), &mut out);
    out
}

fn look(
    plan: &LookupPlan,
    rows: &[(usize, Option<&str>, i32)],
    value: RawBuf,
) -> (LookupOutcome, Result<Vec<u8>, Reason>) {
    let column = column(false);
    let mut builder = MapBuilder::new(&column, plan, false, &Settled::default()).unwrap();
    rows.iter().for_each(|(n, email, id)| builder.push(*n, &image(*email, *id), 7));
    let map = builder.finish().ok().unwrap();
    let lookup = RowLookup::new(&column, plan, false, &Settled::default()).unwrap();
    let found = lookup.find(&map, &One(value), &mut Vec::new());
    (found.outcome, found.field.map(<[u8]>::to_vec))
}

fn int(id: i32) -> Vec<u8> {
    let mut out = Vec::new();
    binary::field(&Cell::Int4(id), &mut out);
    out
}

#[test]
fn steps_are_tried_in_order_and_the_first_hit_counts() {
    let plan = plan(vec![step(false), step(true)], false, Value::Null);
    let rows = [(0, Some("A@x"), 1), (1, Some("A@x"), 1), (1, Some("b@X"), 2)];
    assert_eq!(look(&plan, &rows, RawBuf::text("A@x")), (LookupOutcome::Hit(0), Ok(int(1))));
    assert_eq!(look(&plan, &rows, RawBuf::text("B@x")), (LookupOutcome::Hit(1), Ok(int(2))));
    assert_eq!(look(&plan, &rows, RawBuf::text("c@x")), (LookupOutcome::Missing, Ok(vec![0xff; 4])));
}

#[test]
fn several_answers_are_no_answer_and_one_answer_twice_is_one() {
    let rows = [(0, Some("info"), 1), (0, Some("info"), 2), (0, Some("kev"), 3), (0, Some("kev"), 3)];
    let next = plan(vec![step(false)], false, Value::Null);
    assert_eq!(look(&next, &rows, RawBuf::text("info")).0, LookupOutcome::Ambiguous);
    assert_eq!(look(&next, &rows, RawBuf::text("kev")), (LookupOutcome::Hit(0), Ok(int(3))));
    let fault = plan(vec![step(false)], true, Value::Null);
    let refused = Err(Reason::LookupAmbiguous);
    assert_eq!(look(&fault, &rows, RawBuf::text("info")), (LookupOutcome::Ambiguous, refused));
}

#[test]
fn a_null_key_gives_null_and_counts_neither_as_hit_nor_as_miss() {
    let plan = plan(vec![step(false)], false, Value::Fault);
    let rows = [(0, None, 1), (0, Some("a"), 2)];
    assert_eq!(look(&plan, &rows, RawBuf::Null), (LookupOutcome::Nothing, Ok(vec![0xff; 4])));
    assert_eq!(look(&plan, &rows, RawBuf::text("z")), (LookupOutcome::Missing, Err(Reason::LookupMissing)));
}

#[test]
fn a_key_that_the_type_cannot_store_is_a_miss() {
    let mut number = step(false);
    number.target[0].1 = kind(Kind::Int4, 23);
    let plan = plan(vec![number], false, Value::Fault);
    assert_eq!(look(&plan, &[], RawBuf::text("kevin")).0, LookupOutcome::Missing);
    assert_eq!(look(&plan, &[], RawBuf::Blob(vec![1])).0, LookupOutcome::Missing);
}

#[test]
fn a_map_beyond_its_limit_reports_its_size() {
    let plan = plan(vec![step(false)], false, Value::Null);
    let column = column(false);
    let mut builder = MapBuilder::new(&column, &plan, false, &Settled::default()).unwrap();
    let long = "x".repeat(1 << 20);
    (0..70).for_each(|n| builder.push(0, &image(Some(&format!("{n}{long}")), n), 7));
    assert!(builder.finish().is_err_and(|bytes| bytes > 70 << 20));
}
