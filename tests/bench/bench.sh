#!/usr/bin/env bash
# Times a whole cutover against the floor (psql \copy of a ready-made binary file) and the peers that are installed,
# alternating, on a PostgreSQL of its own, and prints medians and ratios. Nothing is asserted.
#
#   tests/bench/bench.sh [ROWS] [ROUNDS] [PEERS]        default 2000000 rows, 3 rounds, `all`; `none` leaves the peers out
#
# Peers are measured where they are installed: pgloader; duckdb (PyPI: duckdb, duckdb-extension-sqlite, duckdb-extension-postgres, of one version);
# sqlite3 piped into psql. Needs PostgreSQL's server binaries, psql, sqlite3 and about a kilobyte of disk a row.
set -euo pipefail
rows=${1:-2000000}
rounds=${2:-3}
peers=${3:-all}
# shellcheck source=tests/bench/server.sh
. "$(dirname "$0")/server.sh"

echo "making $rows rows ..."
sqlite3 "$work/bench.db" <<SQL
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
columns='id bigint, day date, amount numeric(12,2), active boolean, extra jsonb, created_at timestamp, name text, note text, account_id int, category_id int, code text'
cat > "$work/bare.sql" <<SQL
CREATE TABLE accounts (id int, name text);
CREATE TABLE categories (id int, name text);
CREATE TABLE t ($columns);
SQL
cat > "$work/full.sql" <<SQL
CREATE TABLE accounts (id int PRIMARY KEY, name text);
CREATE TABLE categories (id int PRIMARY KEY, name text);
CREATE SEQUENCE t_id_seq;
CREATE TABLE t ($columns, PRIMARY KEY (id), FOREIGN KEY (account_id) REFERENCES accounts, FOREIGN KEY (category_id) REFERENCES categories);
ALTER TABLE t ALTER id SET DEFAULT nextval('t_id_seq');
ALTER SEQUENCE t_id_seq OWNED BY t.id;
CREATE INDEX t_day ON t (day);
CREATE INDEX t_account ON t (account_id);
SQL
cat > "$work/keys.sql" <<SQL
SET maintenance_work_mem = '256MB';
ALTER TABLE accounts ADD PRIMARY KEY (id);
ALTER TABLE categories ADD PRIMARY KEY (id);
ALTER TABLE t ADD PRIMARY KEY (id);
CREATE INDEX t_day ON t (day);
CREATE INDEX t_account ON t (account_id);
ALTER TABLE t ADD FOREIGN KEY (account_id) REFERENCES accounts;
ALTER TABLE t ADD FOREIGN KEY (category_id) REFERENCES categories;
SQL
printf 'format = 1\nname = "bench"\n[source]\npath = "%s"\n[load.accounts]\n[load.categories]\n[load.t]\n' "$work/bench.db" > "$work/bench.toml"
(cd "$here" && cargo build --release --locked --quiet --bin migrate --example legs)

fresh "$work/bare.sql"
"$migrate" -m "$work/bench.toml" -t "$url" --yes -q --skip-preflight --verify none >/dev/null
sql -d bench -c "\\copy t TO '$work/t.bin' (FORMAT binary)"
sql -d bench -c "\\copy accounts TO '$work/a.bin' (FORMAT binary)"
sql -d bench -c "\\copy categories TO '$work/c.bin' (FORMAT binary)"

floor() { psql -qX -v ON_ERROR_STOP=1 -d bench -c "\\copy accounts FROM '$work/a.bin' (FORMAT binary)" -c "\\copy categories FROM '$work/c.bin' (FORMAT binary)" -c "\\copy t FROM '$work/t.bin' (FORMAT binary)"; }
keys() { psql -qX -v ON_ERROR_STOP=1 -d bench -f "$work/keys.sql"; }
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
csv() { sqlite3 -csv "$work/bench.db" 'SELECT * FROM t' | psql -qX -v ON_ERROR_STOP=1 -d bench -c 'COPY t FROM STDIN (FORMAT csv)'; }
# The packages bring the extensions under names that DuckDB does not load them by.
duck() { python3 - <<PY
import duckdb, glob, importlib, os, shutil
c = duckdb.connect()
for name in ("sqlite", "postgres"):
    package = os.path.dirname(importlib.import_module(f"duckdb_extension_{name}").__file__)
    brought = glob.glob(f"{package}/extensions/v{duckdb.__version__}/{name}.duckdb_extension")[0]
    c.execute(f"LOAD '{shutil.copy(brought, f'$work/{name}_scanner.duckdb_extension')}'")
c.execute("ATTACH '$work/bench.db' AS s (TYPE sqlite)")
c.execute("ATTACH 'host=$work/pg user=postgres dbname=bench' AS p (TYPE postgres)")
c.execute("INSERT INTO p.t SELECT * FROM s.t")
PY
}
pgload() { pgloader --with "include no drop" "sqlite://$work/bench.db" "postgresql://postgres@unix:$work/pg:5432/bench"; }

# A leg by what it does more than the one before it; those of the client alone say what they cost a row.
leg() { timed "$1" "$(dirname "$migrate")/examples/legs" "$work/bench.db" "$2"; sed "s/^/    /" "$work/out"; }

for round in $(seq "$rounds"); do
    echo "round $round"
    leg scan scan
    leg "+ encode" encode
    leg "+ null target" null
    fresh "$work/bare.sql"; timed floor floor
    timed "floor keys" keys
    timed "read back" back
    timed "read back, 2" back2
    fresh "$work/bare.sql"; timed "load bare" "$migrate" -m "$work/bench.toml" -t "$url" --yes -q --skip-preflight --verify none
    fresh "$work/full.sql"; timed "+ reattach" "$migrate" -m "$work/bench.toml" -t "$url" --yes -q --skip-preflight --verify none
    fresh "$work/full.sql"; timed "+ verify" "$migrate" -m "$work/bench.toml" -t "$url" --yes -q --skip-preflight
    fresh "$work/full.sql"; timed cutover /usr/bin/env time -f 'peak %M KiB' "$migrate" -m "$work/bench.toml" -t "$url" --yes -q --report "$work/report-$round.json"
    grep -h peak "$work/out" || true
    timed verify "$migrate" verify -m "$work/bench.toml" -t "$url" -q
    if [ "$peers" = none ]; then continue; fi
    if command -v pgloader >/dev/null; then fresh; timed pgloader pgload || true; fi
    if python3 -c 'import duckdb' 2>/dev/null; then fresh "$work/bare.sql"; timed duckdb duck || true; fi
    fresh "$work/bare.sql"; timed "sqlite3 csv" csv || true
done
python3 - "$work/times" <<'PY'
import statistics, sys
times = {}
for line in open(sys.argv[1]):
    name, seconds = line.rstrip("\n").split("\t")
    times.setdefault(name, []).append(float(seconds))
floor = statistics.median(times["floor"])
keys = statistics.median(times["floor keys"])
print(f"\n{'what':<14}{'median s':>10}{'/ floor':>10}{'/ (floor + keys)':>18}   runs")
for name, runs in times.items():
    median = statistics.median(runs)
    print(f"{name:<14}{median:>10.2f}{median / floor:>10.2f}{median / (floor + keys):>18.2f}   {' '.join(f'{r:.2f}' for r in runs)}")
PY
echo; uname -sr; nproc | sed 's/$/ processors/'; sql -c 'SELECT version()'; sqlite3 --version | cut -c1-20; "$migrate" --version
command -v pgloader >/dev/null && pgloader --version | head -1 || true
python3 -c 'import duckdb; print("duckdb", duckdb.__version__)' 2>/dev/null || true
