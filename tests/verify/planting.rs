//! Single corruptions of a migrated target, each with what is needed to find and to revert it.

use super::pair::{Pair, Random};

/// One corruption.
pub struct Corruption {
    pub kind: &'static str,
    /// Plants it.
    pub sql: String,
    /// Reverts the corruption, in addition to the rows of `table`.
    pub undo: String,
    /// The table whose rows are restored; `None` if no row was changed.
    pub table: Option<&'static str>,
    /// The check that must say Differs, and the load or object it must name.
    pub check: &'static str,
    pub named: &'static str,
    /// The row and the column that must be pinned; `""` where no row is meant.
    pub key: String,
    pub column: &'static str,
}

/// Every kind of corruption.
pub const KINDS: usize = 40;

/// A column of `things` and the expression that replaces its value.
const VALUES: [(&str, &str, &str, &str); 24] = [
    ("null-for-empty", "title", "NULL", "title = ''"),
    ("trailing-blank", "title", "title || ' '", "title IS NOT NULL"),
    ("case", "title", "upper(title)", "title <> upper(title)"),
    ("blank-in-varchar", "note", "note || ' '", "note IS NOT NULL"),
    ("padded", "padded", "'q'", "padded IS NOT NULL"),
    ("minus-zero", "ratio", "'-0'::float8", "ratio = 0 AND ratio::text = '0'"),
    ("small", "small", "small * 2", "small <> 0"),
    ("one-cent", "price", "price + 0.01", "price IS NOT NULL"),
    ("one-more-zero", "free", "(free::text || '0')::numeric", "free IS NOT NULL"),
    ("one-in-big", "big", "big + 1", "big IS NOT NULL"),
    ("one-microsecond", "at", "at + interval '1 microsecond'", "at IS NOT NULL"),
    ("one-millisecond", "at_tz", "at_tz - interval '1 millisecond'", "at_tz IS NOT NULL"),
    ("one-day", "day", "day + 1", "day IS NOT NULL"),
    ("one-microsecond-of-day", "clock", "clock - interval '1 microsecond'", "clock IS NOT NULL"),
    ("day-for-24-hours", "wait", "'24:00:00'::interval", "wait = '1 day' AND wait::text = '1 day'"),
    ("flag", "flag", "NOT flag", "flag IS NOT NULL"),
    ("json-null-for-null", "doc", "'null'::jsonb", "doc IS NULL"),
    ("jsonb-scale", "doc", "jsonb_set(doc, '{c}', '1.0')", "doc ? 'c'"),
    ("json-blank", "raw", "(raw::text || ' ')::json", "raw IS NOT NULL"),
    ("array-order", "tags", "ARRAY['y z', 'x', NULL]", "tags = ARRAY['x', 'y z', NULL]"),
    (
        "uuid-digit",
        "uid",
        "(left(uid::text, 35) || CASE right(uid::text, 1) WHEN '0' THEN '1' ELSE '0' END)::uuid",
        "uid IS NOT NULL",
    ),
    ("one-byte", "body", "set_byte(body, 0, 1)", "body IS NOT NULL"),
    ("label", "mood", "CASE mood WHEN 'sad' THEN 'ok'::mood ELSE 'sad' END", "mood IS NOT NULL"),
    ("netmask", "address", "set_masklen(address, 8)", "address IS NOT NULL"),
];

impl Corruption {
    /// A corruption of this kind; none where the rows offer no place for it.
    pub fn of(kind: usize, pair: &Pair, random: &mut Random) -> Option<Corruption> {
        if let Some((name, column, to, place)) = VALUES.get(kind) {
            let id = one_of(pair, &format!("SELECT id FROM things WHERE {place}"), random)?;
            let sql = format!("UPDATE things SET {column} = {to} WHERE id = {id}");
            return Some(Corruption::in_things(name, sql, &id, column));
        }
        match kind - VALUES.len() {
            0 => one_ulp(pair, random),
            1 => swapped(pair, random),
            2 => {
                let id = one_of(pair, "SELECT id FROM things WHERE title IS DISTINCT FROM note", random)?;
                let sql = format!("UPDATE things SET title = note, note = title WHERE id = {id}");
                Some(Corruption::in_things("columns-swapped", sql, &id, "title"))
            }
            3 => {
                let id = one_of(pair, "SELECT id FROM things", random)?;
                Some(Corruption::in_things(
                    "owner",
                    format!("UPDATE things SET user_id = 1 WHERE id = {id}"),
                    &id,
                    "user_id",
                ))
            }
            4 => {
                let id = one_of(pair, "SELECT id FROM things", random)?;
                Some(Corruption::in_things(
                    "orphan",
                    format!("UPDATE things SET user_id = 999 WHERE id = {id}"),
                    &id,
                    "user_id",
                ))
            }
            5 => {
                let id = one_of(pair, "SELECT id FROM things", random)?;
                Some(Corruption::in_things("row-dropped", format!("DELETE FROM things WHERE id = {id}"), &id, ""))
            }
            6 => {
                let id = one_of(pair, "SELECT id FROM things", random)?;
                let sql = format!(
                    "INSERT INTO things SELECT (t).* FROM (SELECT jsonb_populate_record(t, jsonb_build_object('id', id - 1)) AS t FROM things t WHERE id = {id}) AS s"
                );
                let between = (id.parse::<i64>().ok()? - 1).to_string();
                Some(Corruption::in_things("row-doubled", sql, &between, ""))
            }
            7 => Some(Corruption::in_parts(
                "equal-row-dropped",
                "DELETE FROM parts WHERE ctid = (SELECT min(ctid::text)::tid FROM parts WHERE label = 'twin')",
                "source row",
            )),
            8 => Some(Corruption::in_parts(
                "equal-row-doubled",
                "INSERT INTO parts VALUES (2, 'twin', 1)",
                "a row of the target",
            )),
            9 => {
                let id = one_of(pair, "SELECT id FROM in_use WHERE user_id <> 1", random)?;
                let sql = format!("UPDATE in_use SET word = word || '.' WHERE id = {id}");
                Some(Corruption {
                    table: Some("in_use"),
                    named: "in_use",
                    ..Corruption::in_things("next-to-foreign", sql, &id, "word")
                })
            }
            10 => Some(Corruption::of_object(
                "sequence-set-back",
                "SELECT setval('things_id_seq', 1)",
                "",
                "sequences",
                "",
            )),
            11 => Some(Corruption::of_object(
                "trigger-off",
                "ALTER TABLE things DISABLE TRIGGER things_touched",
                "ALTER TABLE things ENABLE TRIGGER things_touched",
                "constraints",
                "public.things.things_touched",
            )),
            12 => {
                let word = one_of(pair, "SELECT word FROM words WHERE n < 100", random)?;
                let sql = format!("UPDATE words SET n = n + 1000 WHERE word = '{word}'");
                Some(Corruption {
                    column: "n",
                    named: "words",
                    table: Some("words"),
                    ..Corruption::in_parts("next-to-skipped", &sql, "source row")
                })
            }
            13 => {
                let id = one_of(pair, "SELECT id FROM links WHERE id > 0 AND thing_id IS NULL", random)?;
                let sql = format!("UPDATE links SET thing_id = 2 WHERE id = {id}");
                let corruption = Corruption::in_things("where-an-orphan-was", sql, &id, "thing_id");
                Some(Corruption { table: Some("links"), named: "links", ..corruption })
            }
            14 => {
                let id = one_of(pair, "SELECT id FROM tagged WHERE person_id IS NOT NULL", random)?;
                let sql = format!("UPDATE tagged SET person_id = 3 - person_id WHERE id = {id}");
                let corruption = Corruption::in_things("looked-up-owner", sql, &id, "person_id");
                Some(Corruption { table: Some("tagged"), named: "tagged", ..corruption })
            }
            _ => Some(index_invalid()),
        }
    }

    fn in_things(kind: &'static str, sql: String, id: &str, column: &'static str) -> Corruption {
        Corruption {
            kind,
            sql,
            undo: String::new(),
            table: Some("things"),
            check: "content",
            named: "things",
            key: format!("id={id}"),
            column,
        }
    }

    fn in_parts(kind: &'static str, sql: &str, key: &str) -> Corruption {
        Corruption {
            table: Some("parts"),
            named: "parts",
            key: key.to_owned(),
            ..Corruption::in_things(kind, sql.to_owned(), "", "")
        }
    }

    fn of_object(kind: &'static str, sql: &str, undo: &str, check: &'static str, named: &'static str) -> Corruption {
        let corruption = Corruption::in_things(kind, sql.to_owned(), "", "");
        Corruption { undo: undo.to_owned(), table: None, check, named, key: String::new(), ..corruption }
    }

    /// Returns whether the report finds the corruption, and whether it locates it exactly.
    pub fn judge(&self, report: &serde_json::Value) -> (bool, bool) {
        let checks = report["checks"].as_array().map(Vec::as_slice).unwrap_or_default();
        let mut differs = checks.iter().filter(|check| check["verdict"] == "Differs");
        let pinned = differs.clone().any(|check| {
            let rows = check["differences"].as_array().map(Vec::as_slice).unwrap_or_default();
            let is_row = rows.iter().any(|row| {
                let key = row["key"].as_str().unwrap_or_default();
                let exact = if self.key.contains('=') { key == self.key } else { key.starts_with(&self.key) };
                exact && (self.column.is_empty() || row["column"] == self.column)
            });
            check["check"] == self.check
                && (self.named.is_empty() || check["load"] == self.named)
                && (self.key.is_empty() || is_row)
        });
        (differs.next().is_some(), pinned)
    }
}

fn index_invalid() -> Corruption {
    Corruption::of_object(
        "index-invalid",
        "UPDATE pg_index SET indisvalid = false WHERE indexrelid = 'things_title'::regclass",
        "UPDATE pg_index SET indisvalid = true WHERE indexrelid = 'things_title'::regclass",
        "constraints",
        "public.things.things_title",
    )
}

/// The next double in either direction.
fn one_ulp(pair: &Pair, random: &mut Random) -> Option<Corruption> {
    let id = one_of(pair, "SELECT id FROM things WHERE ratio <> 0", random)?;
    let text = pair.target.value(&format!("SELECT ratio FROM things WHERE id = {id}"));
    let value: f64 = text.parse().ok()?;
    let next = f64::from_bits(if random.below(2) == 0 { value.to_bits() + 1 } else { value.to_bits() - 1 });
    let sql = format!("UPDATE things SET ratio = '{next:e}'::float8 WHERE id = {id}");
    Some(Corruption::in_things("one-ulp", sql, &id, "ratio"))
}

/// Two rows that changed places in one column.
fn swapped(pair: &Pair, random: &mut Random) -> Option<Corruption> {
    let a = one_of(pair, "SELECT id FROM things WHERE note IS NOT NULL", random)?;
    let other = format!("SELECT id FROM things WHERE note <> (SELECT note FROM things WHERE id = {a})");
    let b = one_of(pair, &other, random)?;
    let sql = format!("UPDATE things t SET note = o.note FROM things o WHERE (t.id, o.id) IN (({a}, {b}), ({b}, {a}))");
    Some(Corruption::in_things("rows-swapped", sql, &a, "note"))
}

fn one_of(pair: &Pair, sql: &str, random: &mut Random) -> Option<String> {
    let rows = pair.target.rows(&format!("{sql} ORDER BY 1"));
    if rows.is_empty() {
        return None;
    }
    rows[random.below(rows.len() as u64) as usize][0].clone()
}
