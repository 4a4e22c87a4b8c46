#!/usr/bin/env bash
# Times a whole cutover against the floor (psql \copy of a ready-made binary file) and the peers that are installed,
# alternating, on a PostgreSQL of its own, and prints medians and ratios. Nothing is asserted.
#
#   tests/bench/bench.sh [ROWS] [ROUNDS] [PEERS] [SETS]   default 2000000 rows, 3 rounds, `all`; `none` leaves the peers out
#
# SETS: `plain` and `framework`, by default both. `framework` is data as Django, SQLAlchemy and Prisma write it: DATETIME as text
# with six decimals, REAL amounts for numeric(12,2), integers for booleans, JSON text in every fifth row, varchar, NULLs, and a
# foreign key to 100 parents. Both sets have the same eleven columns.
# Peers are measured where they are installed: pgloader; duckdb (PyPI: duckdb, duckdb-extension-sqlite, duckdb-extension-postgres, of one version);
# sqlite3 piped into psql. Needs PostgreSQL's server binaries, psql, sqlite3 and about a kilobyte of disk a row.
set -euo pipefail
rows=${1:-2000000}
rounds=${2:-3}
peers=${3:-all}
sets=${4:-plain framework}
# shellcheck source=tests/bench/server.sh
. "$(dirname "$0")/server.sh"

# The source of a set on stdout.
source_of() {
    if [ "$1" = plain ]; then
        cat <<SQL
CREATE TABLE accounts (id INTEGER PRIMARY KEY, name TEXT);
CREATE TABLE categories (id INTEGER PRIMARY KEY, name TEXT);
CREATE TABLE t (id INTEGER PRIMARY KEY, day DATE, amount DECIMAL(12,2), active BOOLEAN, extra JSON, created_at TIMESTAMP,
                name TEXT, note TEXT, account_id INTEGER, category_id INTEGER, code TEXT);
WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 1000) INSERT INTO accounts SELECT i, 'account ' || i FROM n;
WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 50) INSERT INTO categories SELECT i, 'category ' || i FROM n;
WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < $rows)
INSERT INTO t SELECT i, date('2020-01-01', '+' || (i % 2000) || ' days'), ((i * 7919) % 10000000) / 100.0, i % 2,
       '{"a": ' || i || ', "b": "x' || (i % 97) || '"}', strftime('%Y-%m-%d %H:%M:%S', 1600000000 + i * 13, 'unixepoch'),
       'name ' || (i * 31 % 100003), 'some longer note about row ' || i, i % 1000 + 1, i % 50 + 1, 'C' || (i % 1000) FROM n;
SQL
    else
        cat <<SQL
CREATE TABLE accounts (id INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT, name VARCHAR(80) NOT NULL);
CREATE TABLE categories (id INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT, name VARCHAR(80) NOT NULL);
CREATE TABLE t (id INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT, day DATE, amount REAL, active INTEGER NOT NULL, extra TEXT,
                created_at DATETIME NOT NULL, name VARCHAR(120) NOT NULL, note VARCHAR(255),
                account_id INTEGER NOT NULL REFERENCES accounts (id), category_id INTEGER, code VARCHAR(16));
WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 100) INSERT INTO accounts SELECT i, 'account ' || i FROM n;
WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 50) INSERT INTO categories SELECT i, 'category ' || i FROM n;
WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < $rows)
INSERT INTO t SELECT i, CASE WHEN i % 7 <> 0 THEN date('2020-01-01', '+' || (i % 2000) || ' days') END,
       ((i * 7919) % 10000000) / 100.0, i % 2, CASE WHEN i % 5 = 0 THEN '{"a": ' || i || ', "tags": ["x' || (i % 97) || '"]}' END,
       strftime('%Y-%m-%d %H:%M:%S', 1600000000 + i * 13, 'unixepoch') || printf('.%06d', i * 7919 % 1000000),
       'name ' || (i * 31 % 100003), CASE WHEN i % 3 = 0 THEN 'some longer note about row ' || i END, i % 100 + 1,
       CASE WHEN i % 4 <> 0 THEN i % 50 + 1 END, 'C' || (i % 1000) FROM n;
SQL
    fi
}

(cd "$here" && cargo build --release --locked --quiet --bin migrate --example legs)
for set in $sets; do
    echo "making $rows rows of $set ..."
    mkdir "$work/$set"
    source_of "$set" | sqlite3 "$work/$set/bench.db"
    if [ "$set" = plain ]; then text=text short=text; else text='varchar(255)' short='varchar(16)'; fi
    columns="id bigint, day date, amount numeric(12,2), active boolean, extra jsonb, created_at timestamp, name $text, note $text, account_id int, category_id int, code $short"
    second=", FOREIGN KEY (category_id) REFERENCES categories"
    if [ "$set" = framework ]; then second=""; fi
    cat > "$work/$set/bare.sql" <<SQL
CREATE TABLE accounts (id int, name text);
CREATE TABLE categories (id int, name text);
CREATE TABLE t ($columns);
SQL
    cat > "$work/$set/full.sql" <<SQL
CREATE TABLE accounts (id int PRIMARY KEY, name text);
CREATE TABLE categories (id int PRIMARY KEY, name text);
CREATE SEQUENCE t_id_seq;
CREATE TABLE t ($columns, PRIMARY KEY (id), FOREIGN KEY (account_id) REFERENCES accounts$second);
ALTER TABLE t ALTER id SET DEFAULT nextval('t_id_seq');
ALTER SEQUENCE t_id_seq OWNED BY t.id;
CREATE INDEX t_day ON t (day);
CREATE INDEX t_account ON t (account_id);
SQL
    cat > "$work/$set/keys.sql" <<SQL
SET maintenance_work_mem = '256MB';
ALTER TABLE accounts ADD PRIMARY KEY (id);
ALTER TABLE categories ADD PRIMARY KEY (id);
ALTER TABLE t ADD PRIMARY KEY (id);
CREATE INDEX t_day ON t (day);
CREATE INDEX t_account ON t (account_id);
ALTER TABLE t ADD FOREIGN KEY (account_id) REFERENCES accounts;
SQL
    if [ -n "$second" ]; then echo "ALTER TABLE t ADD FOREIGN KEY (category_id) REFERENCES categories;" >> "$work/$set/keys.sql"; fi
    printf 'format = 1\nname = "bench"\n[source]\npath = "%s"\n[load.accounts]\n[load.categories]\n[load.t]\n' "$work/$set/bench.db" > "$work/$set/bench.toml"
    fresh "$work/$set/bare.sql"
    "$migrate" -m "$work/$set/bench.toml" -t "$url" --yes -q --skip-preflight --verify none >/dev/null
    sql -d bench -c "\\copy t TO '$work/$set/t.bin' (FORMAT binary)"
    sql -d bench -c "\\copy accounts TO '$work/$set/a.bin' (FORMAT binary)"
    sql -d bench -c "\\copy categories TO '$work/$set/c.bin' (FORMAT binary)"
done

# The legs work in the folder of the set, $data.
floor() { psql -qX -v ON_ERROR_STOP=1 -d bench -c "\\copy accounts FROM '$data/a.bin' (FORMAT binary)" -c "\\copy categories FROM '$data/c.bin' (FORMAT binary)" -c "\\copy t FROM '$data/t.bin' (FORMAT binary)"; }
keys() { psql -qX -v ON_ERROR_STOP=1 -d bench -f "$data/keys.sql"; }
back() { psql -qX -d bench -c "\\copy t TO '/dev/null' (FORMAT binary)"; }
# In two lanes, each a half of the pages.
back2() {
    local pages half lane
    pages=$(sql -d bench -c "SELECT pg_relation_size('t') / current_setting('block_size')::int")
    half=$((pages / 2))
    for lane in "ctid < '($half,0)'" "ctid >= '($half,0)'"; do
        psql -qX -d bench -c "\\copy (SELECT * FROM t WHERE $lane) TO '/dev/null' (FORMAT binary)" &
    done
    wait
}
csv() { sqlite3 -csv "$data/bench.db" 'SELECT * FROM t' | psql -qX -v ON_ERROR_STOP=1 -d bench -c 'COPY t FROM STDIN (FORMAT csv)'; }
# The packages bring the extensions under names that DuckDB does not load them by.
duck() { python3 - <<PY
import duckdb, glob, importlib, os, shutil
c = duckdb.connect()
for name in ("sqlite", "postgres"):
    package = os.path.dirname(importlib.import_module(f"duckdb_extension_{name}").__file__)
    brought = glob.glob(f"{package}/extensions/v{duckdb.__version__}/{name}.duckdb_extension")[0]
    c.execute(f"LOAD '{shutil.copy(brought, f'$work/{name}_scanner.duckdb_extension')}'")
c.execute("ATTACH '$data/bench.db' AS s (TYPE sqlite)")
c.execute("ATTACH 'host=$work/pg user=postgres dbname=bench' AS p (TYPE postgres)")
c.execute("INSERT INTO p.t SELECT * FROM s.t")
PY
}
pgload() { pgloader --with "include no drop" "sqlite://$data/bench.db" "postgresql://postgres@unix:$work/pg:5432/bench"; }

# A leg by what it does more than the one before it; those of the client alone say what they cost a row.
leg() { timed "$1" "$(dirname "$migrate")/examples/legs" "$data/bench.db" "$2"; sed "s/^/    /" "$work/out"; }

for round in $(seq "$rounds"); do
  for set in $sets; do
    data=$work/$set
    echo "round $round, $set"
    leg "$set: scan" scan
    leg "$set: + encode" encode
    leg "$set: + null target" null
    fresh "$data/bare.sql"; timed "$set: floor" floor
    timed "$set: floor keys" keys
    timed "$set: read back" back
    timed "$set: read back, 2" back2
    fresh "$data/bare.sql"; timed "$set: load bare" "$migrate" -m "$data/bench.toml" -t "$url" --yes -q --skip-preflight --verify none
    fresh "$data/full.sql"; timed "$set: + reattach" "$migrate" -m "$data/bench.toml" -t "$url" --yes -q --skip-preflight --verify none
    fresh "$data/full.sql"; timed "$set: + verify" "$migrate" -m "$data/bench.toml" -t "$url" --yes -q --skip-preflight
    fresh "$data/full.sql"; timed "$set: cutover" /usr/bin/env time -f 'peak %M KiB' "$migrate" -m "$data/bench.toml" -t "$url" --yes -q --report "$data/report-$round.json"
    grep -h peak "$work/out" || true
    timed "$set: verify" "$migrate" verify -m "$data/bench.toml" -t "$url" -q
    if [ "$peers" = none ]; then continue; fi
    if command -v pgloader >/dev/null; then fresh; timed "$set: pgloader" pgload || true; fi
    if python3 -c 'import duckdb' 2>/dev/null; then fresh "$data/bare.sql"; timed "$set: duckdb" duck || true; fi
    fresh "$data/bare.sql"; timed "$set: sqlite3 csv" csv || true
  done
done
python3 - "$work/times" <<'PY'
import statistics, sys
times = {}
for line in open(sys.argv[1]):
    name, seconds = line.rstrip("\n").split("\t")
    times.setdefault(name, []).append(float(seconds))
print(f"\n{'what':<26}{'median s':>10}{'/ floor':>10}{'/ (floor + keys)':>18}   runs")
for name, runs in times.items():
    part = name.split(":")[0]
    floor, keys = (statistics.median(times[f"{part}: {leg}"]) for leg in ("floor", "floor keys"))
    median = statistics.median(runs)
    print(f"{name:<26}{median:>10.2f}{median / floor:>10.2f}{median / (floor + keys):>18.2f}   {' '.join(f'{r:.2f}' for r in runs)}")
PY
echo; uname -sr; nproc | sed 's/$/ processors/'; sql -c 'SELECT version()'; sqlite3 --version | cut -c1-20; "$migrate" --version
command -v pgloader >/dev/null && pgloader --version | head -1 || true
python3 -c 'import duckdb; print("duckdb", duckdb.__version__)' 2>/dev/null || true
