#!/usr/bin/env bash
# Times the load leg against the floor (psql \copy of ready-made binary files) for tables of other shapes, alternating,
# on a PostgreSQL of its own, and prints medians and ratios. Nothing is asserted.
#
#   tests/bench/shapes.sh [ROUNDS]        default 3
#
#   wide    100,000 rows of 200 columns
#   large   2,000 values of 100 kB
#   many    500 tables of 1,000 rows; the floor is 500 \copy of one psql session
set -euo pipefail
rounds=${1:-3}
# shellcheck source=tests/bench/server.sh
. "$(dirname "$0")/server.sh"
(cd "$here" && cargo build --release --locked --quiet --bin migrate)

# wide: integers, decimals, dates, stamps and texts in turn.
python3 - "$work" <<'PY'
import sys
work = sys.argv[1]
kinds = [("INTEGER", "int", "i * {n} % 100000"), ("DECIMAL(10,2)", "numeric(10,2)", "i * {n} % 10000 / 4.0"),
         ("DATE", "date", "date('2020-01-01', '+' || ((i + {n}) % 2000) || ' days')"),
         ("TIMESTAMP", "timestamp", "strftime('%Y-%m-%d %H:%M:%S', 1600000000 + i * {n}, 'unixepoch')"),
         ("TEXT", "text", "'text ' || {n} || ' of ' || i")]
columns = [(f"c{n}", *kinds[n % len(kinds)]) for n in range(199)]
def script(path, lines):
    open(f"{work}/{path}", "w").write("\n".join(lines) + "\n")
script("wide.src", ["CREATE TABLE wide (id INTEGER PRIMARY KEY, " + ", ".join(f"{c} {s}" for c, s, _, _ in columns) + ");",
    "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 100000) INSERT INTO wide SELECT i, "
    + ", ".join(e.format(n=n + 1) for n, (_, _, _, e) in enumerate(columns)) + " FROM n;"])
script("wide.sql", ["CREATE TABLE wide (id int, " + ", ".join(f"{c} {t}" for c, _, t, _ in columns) + ");"])
script("wide.toml", ["format = 1", 'name = "wide"', "[source]", 'path = "wide.db"', "[load.wide]"])
script("large.src", ["CREATE TABLE large (id INTEGER PRIMARY KEY, body TEXT);",
    "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 2000) INSERT INTO large SELECT i, lower(hex(randomblob(50000))) FROM n;"])
script("large.sql", ["CREATE TABLE large (id int, body text);"])
script("large.toml", ["format = 1", 'name = "large"', "[source]", 'path = "large.db"', "[load.large]"])
tables = [f"t{n:03}" for n in range(500)]
script("many.src", [f"CREATE TABLE {t} (id INTEGER PRIMARY KEY, name TEXT, made DATE, amount REAL); "
    f"WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 1000) INSERT INTO {t} SELECT i, 'name ' || i, date('2020-01-01', '+' || i || ' days'), i / 4.0 FROM n;"
    for t in tables])
script("many.sql", [f"CREATE TABLE {t} (id int, name text, made date, amount float8);" for t in tables])
script("many.toml", ["format = 1", 'name = "many"', "[source]", 'path = "many.db"'] + [f"[load.{t}]" for t in tables])
PY

for shape in wide large many; do
    echo "making $shape ..."
    { echo 'BEGIN;'; cat "$work/$shape.src"; echo 'COMMIT;'; } | sqlite3 "$work/$shape.db"
    fresh "$work/$shape.sql"
    "$migrate" -m "$work/$shape.toml" -t "$url" --yes -q --skip-preflight --verify none >/dev/null
    mkdir "$work/$shape.bin"
    : > "$work/$shape.copy"
    for table in $(sql -d bench -c "SELECT relname FROM pg_class WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace ORDER BY 1"); do
        echo "\\copy $table TO '$work/$shape.bin/$table' (FORMAT binary)"
        echo "\\copy $table FROM '$work/$shape.bin/$table' (FORMAT binary)" >> "$work/$shape.copy"
    done | sql -d bench
done
for round in $(seq "$rounds"); do
    echo "round $round"
    for shape in wide large many; do
        fresh "$work/$shape.sql"; timed "$shape floor" psql -qX -v ON_ERROR_STOP=1 -d bench -f "$work/$shape.copy"
        fresh "$work/$shape.sql"; timed "$shape load" "$migrate" -m "$work/$shape.toml" -t "$url" --yes -q --skip-preflight --verify none
    done
done
python3 - "$work/times" <<'PY'
import statistics, sys
times = {}
for line in open(sys.argv[1]):
    name, seconds = line.rstrip("\n").split("\t")
    times.setdefault(name, []).append(float(seconds))
for shape in ("wide", "large", "many"):
    floor, load = (statistics.median(times[f"{shape} {leg}"]) for leg in ("floor", "load"))
    print(f"{shape:<6} floor {floor:6.2f} s   load {load:6.2f} s   {load / floor:5.2f} x")
PY
