//! Random queries over the tables of a test. Many are no SQL; SQLite itself sorts them out.

use super::draw::Draw;

/// A table that queries name: its columns of numbers and of texts.
struct SourceShape {
    name: &'static str,
    numbers: &'static [&'static str],
    texts: &'static [&'static str],
}

const SHAPES: [SourceShape; 5] = [
    SourceShape { name: "a", numbers: &["id", "n", "f"], texts: &["w", "c", "z"] },
    SourceShape { name: "b", numbers: &["id", "a_id", "oid"], texts: &["w", "c"] },
    SourceShape { name: "l", numbers: &["n"], texts: &["w", "k", "c"] },
    SourceShape { name: "p", numbers: &["n", "m"], texts: &["w"] },
    SourceShape { name: "s", numbers: &["n"], texts: &["code", "label"] },
];

/// A relation of FROM while a query is drawn.
#[derive(Clone)]
struct DrawnMember {
    label: String,
    numbers: Vec<String>,
    texts: Vec<String>,
}

impl DrawnMember {
    /// A query under a name, with the columns that it may have.
    fn of_query(label: String) -> DrawnMember {
        let (numbers, texts) = (vec!["x".to_owned(), "n".to_owned()], vec!["y".to_owned(), "w".to_owned()]);
        DrawnMember { label, numbers, texts }
    }
}

/// Draws queries.
pub struct QueryDraw {
    draw: Draw,
    /// The relations of the queries around, the innermost last.
    around: Vec<Vec<DrawnMember>>,
    /// The names of the queries of WITH.
    named: Vec<String>,
    /// True if each query names the owner of a relation.
    names_owner: bool,
}

impl QueryDraw {
    /// Begins to draw. `names_owner`: each query names the owner of a relation.
    pub fn new(draw: Draw, names_owner: bool) -> QueryDraw {
        QueryDraw { draw, around: Vec::new(), named: Vec::new(), names_owner }
    }

    /// A query of at most two levels of subqueries in FROM.
    pub fn any(&mut self) -> String {
        let depth = self.draw.below(3);
        self.query(depth)
    }

    fn one_in(&mut self, n: usize) -> bool {
        self.draw.below(n) == 0
    }

    fn pick(&mut self, all: &[String]) -> String {
        all[self.draw.below(all.len())].clone()
    }

    fn member(&mut self, depth: usize) -> (String, DrawnMember) {
        let alias = ["a", "b", "l", "q", "r", "s"];
        if depth > 0 && self.one_in(4) {
            let label = self.draw.of(&alias).to_owned();
            let sql = self.alone(depth - 1);
            return (format!("({sql}) AS {label}"), DrawnMember::of_query(label));
        }
        if !self.named.is_empty() && self.one_in(2) {
            let named = self.named.clone();
            let label = self.pick(&named);
            return (label.clone(), DrawnMember::of_query(label));
        }
        let shape = &SHAPES[self.draw.below(SHAPES.len())];
        let owned = |all: &[&str]| all.iter().map(|one| (*one).to_owned()).collect();
        let (numbers, texts) = (owned(shape.numbers), owned(shape.texts));
        match self.draw.below(3) {
            0 => {
                let label = self.draw.of(&alias).to_owned();
                (format!("{} AS {label}", shape.name), DrawnMember { label, numbers, texts })
            }
            _ => (shape.name.to_owned(), DrawnMember { label: shape.name.to_owned(), numbers, texts }),
        }
    }

    /// A column of a class: of this query, or of one around it.
    fn column(&mut self, is_text: bool) -> String {
        let depth = self.around.len();
        let level = if depth > 1 && self.one_in(4) { self.draw.below(depth) } else { depth - 1 };
        let members = self.around[level].clone();
        let member = &members[self.draw.below(members.len())];
        let columns = if is_text { &member.texts } else { &member.numbers };
        let column = match self.draw.below(25) {
            0 if !is_text => self.draw.of(&["rowid", "oid", "_rowid_"]).to_owned(),
            _ => self.pick(columns),
        };
        if self.one_in(3) { column } else { format!("{}.{column}", member.label) }
    }

    fn number(&mut self, depth: usize) -> String {
        match self.draw.below(if depth > 0 { 12 } else { 7 }) {
            0 => self.draw.of(&["0", "1", "2", "3", "7", "NULL"]).to_owned(),
            7 => format!("{} + {}", self.column(false), self.number(depth - 1)),
            8 => format!("length({})", self.text(depth - 1)),
            9 => format!("({})", self.scalar(depth - 1, false)),
            10 => format!("CASE WHEN {} THEN {} END", self.condition(depth - 1), self.number(depth - 1)),
            _ => self.column(false),
        }
    }

    fn text(&mut self, depth: usize) -> String {
        match self.draw.below(if depth > 0 { 14 } else { 7 }) {
            0 => self.draw.of(&["'a'", "'A'", "'b '", "''", "'É'"]).to_owned(),
            7 => format!("lower({})", self.text(depth - 1)),
            8 => format!("{} || 'x'", self.column(true)),
            9 => format!("({})", self.scalar(depth - 1, true)),
            10 => format!("coalesce({}, {})", self.column(true), self.text(depth - 1)),
            11 => format!("+{}", self.column(true)),
            12 => format!("CAST({} AS TEXT)", self.expression(depth - 1)),
            13 => format!("likely({})", self.column(true)),
            _ => self.column(true),
        }
    }

    fn expression(&mut self, depth: usize) -> String {
        if self.one_in(2) { self.number(depth) } else { self.text(depth) }
    }

    fn collation(&mut self) -> &'static str {
        self.draw.of(&["", "", "", "", " COLLATE NOCASE", " COLLATE RTRIM", " COLLATE BINARY"])
    }

    fn condition(&mut self, depth: usize) -> String {
        let operator = self.draw.of(&["=", "=", "=", "<>", "<", ">=", "IS", "IS NOT"]);
        match self.draw.below(if depth > 0 { 12 } else { 6 }) {
            0..2 => format!("{} {operator} {}", self.number(depth), self.number(depth)),
            2..4 => format!("{} {operator} {}{}", self.text(depth), self.text(depth), self.collation()),
            4 => format!("{} IS {}NULL", self.expression(depth), self.draw.of(&["", "NOT "])),
            5 => format!("{} IN ({}, {})", self.text(depth), self.text(0), self.text(0)),
            6 => {
                let word = self.draw.of(&["AND", "OR"]);
                format!("({} {word} {})", self.condition(depth - 1), self.condition(depth - 1))
            }
            7 => format!("NOT ({})", self.condition(depth - 1)),
            8..10 => {
                let (not, is_text) = (self.draw.of(&["", "NOT "]), self.one_in(2));
                let left = if is_text { self.text(depth - 1) } else { self.number(depth - 1) };
                format!("{left} {not}IN ({})", self.values(depth - 1, is_text))
            }
            _ => format!("{}EXISTS ({})", self.draw.of(&["", "NOT "]), self.values(depth - 1, false)),
        }
    }

    /// FROM and WHERE.
    fn rows(&mut self, depth: usize) -> String {
        let (mut sql, first) = self.member(depth);
        self.around.push(vec![first]);
        for _ in 0..self.draw.below(3) {
            let (right, member) = self.member(depth);
            let members = self.around.last_mut().expect("this query");
            members.push(member);
            let joined = match self.draw.below(7) {
                0 => format!(", {right}"),
                1 => format!(" NATURAL JOIN {right}"),
                2 => format!(" JOIN {right} USING ({})", self.draw.of(&["n", "w", "c", "id"])),
                3 => format!(" {}JOIN {right} ON {}", self.draw.of(&["RIGHT ", "LEFT "]), self.on(depth)),
                4 => format!(" LEFT JOIN {right} ON {}", self.on(depth)),
                _ => format!(" JOIN {right} ON {}", self.on(depth)),
            };
            sql.push_str(&joined);
        }
        let mut conditions = Vec::new();
        if self.one_in(2) {
            conditions.push(self.condition(depth));
        }
        if self.names_owner && self.one_in(2) {
            conditions.extend(self.same_owner());
        }
        if conditions.is_empty() { sql } else { format!("{sql} WHERE {}", conditions.join(" AND ")) }
    }

    /// The condition of a join.
    fn on(&mut self, depth: usize) -> String {
        let condition = self.condition(depth.min(1));
        match self.names_owner && !self.one_in(4) {
            true => {
                let pairs = 1 + self.draw.below(2);
                let mut all: Vec<String> = (0..pairs).filter_map(|_| self.same_owner()).collect();
                all.extend((!self.one_in(3)).then_some(condition));
                all.join(" AND ")
            }
            false => condition,
        }
    }

    /// The comparison of two owners, of this query or around it.
    fn same_owner(&mut self) -> Option<String> {
        let own = self.around.last()?.clone();
        let around = self.one_in(4).then(|| self.around.iter().flatten().cloned().collect::<Vec<_>>());
        let others = around.as_ref().unwrap_or(&own);
        let (one, other) = (&own[self.draw.below(own.len())], &others[self.draw.below(others.len())]);
        Some(format!("{}.who = {}.who", one.label, other.label))
    }

    /// A query of one column.
    fn values(&mut self, depth: usize, is_text: bool) -> String {
        let rows = self.rows(depth);
        let value = if is_text { self.text(depth) } else { self.number(depth) };
        let collation = if is_text { self.collation() } else { "" };
        self.around.pop();
        format!("SELECT {value}{collation} FROM {rows}")
    }

    /// A query of one value.
    fn scalar(&mut self, depth: usize, is_text: bool) -> String {
        let rows = self.rows(depth);
        let value = if is_text { self.text(depth) } else { self.number(depth) };
        let sql = match self.draw.below(3) {
            0 => format!("SELECT count(*) FROM {rows}"),
            1 => format!("SELECT {}({value}) FROM {rows}", self.draw.of(&["min", "max"])),
            _ => format!("SELECT {value} FROM {rows} ORDER BY {}, 1 LIMIT 1", self.expression(0)),
        };
        self.around.pop();
        sql
    }

    /// The name of a value, which may be that of a column.
    fn alias(&mut self) -> String {
        match self.draw.below(3) {
            0 => String::new(),
            _ => format!(" AS {}", self.draw.of(&["n", "w", "c", "id", "x", "y", "oid"])),
        }
    }

    fn select(&mut self, depth: usize) -> String {
        let rows = self.rows(depth);
        let mut outputs = Vec::new();
        if self.names_owner {
            let members = self.around.last().expect("this query");
            let place = if self.draw.below(3) == 0 { self.draw.below(members.len()) } else { 0 };
            outputs.push(format!("{}.who AS who", members[place].label));
        }
        let sql = match self.draw.below(6) {
            0 => {
                let (group, is_number) = (self.expression(0), self.one_in(2));
                let value = if is_number { "count(*)".to_owned() } else { format!("max({})", self.expression(depth)) };
                let terms = if self.names_owner { format!("1, {group}") } else { group.clone() };
                outputs.extend([format!("{group} AS x"), format!("{value} AS y")]);
                let having = if self.one_in(3) { " HAVING count(*) > 1" } else { "" };
                format!("SELECT {} FROM {rows} GROUP BY {terms}{having}", outputs.join(", "))
            }
            1 => {
                outputs.extend([format!("{} AS x", self.number(depth)), format!("{} AS y", self.text(depth))]);
                format!("SELECT DISTINCT {} FROM {rows}", outputs.join(", "))
            }
            2 => format!("SELECT * FROM {rows}"),
            3 if self.one_in(2) => {
                let value = match self.draw.below(3) {
                    0 => "rank()".to_owned(),
                    1 => format!("max({})", self.expression(depth)),
                    _ => format!("sum({})", self.number(depth)),
                };
                let (by, order, collation) = (self.expression(0), self.expression(0), self.collation());
                outputs.push(format!("{value} OVER (PARTITION BY {by} ORDER BY {order}{collation}) AS x"));
                outputs.push(format!("{} AS y", self.text(depth)));
                format!("SELECT {} FROM {rows}", outputs.join(", "))
            }
            _ => {
                for _ in 0..1 + self.draw.below(2) {
                    let (number, text) = (self.number(depth), self.text(depth));
                    let (first, second) = (self.alias(), self.alias());
                    outputs.extend([format!("{number}{first}"), format!("{text}{second}")]);
                }
                format!("SELECT {} FROM {rows}", outputs.join(", "))
            }
        };
        self.around.pop();
        sql
    }

    /// A query that names no column of a query around it.
    fn alone(&mut self, depth: usize) -> String {
        let around = std::mem::take(&mut self.around);
        let sql = self.query(depth);
        self.around = around;
        sql
    }

    fn query(&mut self, depth: usize) -> String {
        let before = self.named.len();
        let mut with = String::new();
        if depth > 0 && self.one_in(6) {
            let (name, query) = (self.draw.of(&["t", "a", "l", "u"]).to_owned(), self.alone(depth - 1));
            with = format!("WITH {name} AS ({query}) ");
            self.named.push(name);
        }
        let sql = self.compound(depth);
        self.named.truncate(before);
        format!("{with}{sql}")
    }

    fn compound(&mut self, depth: usize) -> String {
        let mut sql = self.select(depth);
        if self.one_in(6) {
            let operator = self.draw.of(&["UNION ALL", "UNION", "EXCEPT", "INTERSECT"]);
            sql = format!("{sql} {operator} {}", self.select(depth));
        }
        if self.one_in(3) {
            let names = ["n", "w", "c", "x", "y", "1", "2", "lower(w)", "oid"];
            let terms: Vec<String> = (0..1 + self.draw.below(2))
                .map(|_| format!("{}{}{}", self.draw.of(&names), self.collation(), self.draw.of(&["", " DESC"])))
                .collect();
            // Every column is a term, so that LIMIT keeps the same rows.
            sql = format!("{sql} ORDER BY {}, 1, 2 LIMIT 3", terms.join(", "));
        }
        sql
    }
}
