#!/usr/bin/env bash
# The share of its time for which a narrow, long line is busy: outward during `load`, inward during `verify`, and inward during
# `migrate verify` afterwards, on a PostgreSQL of its own. Nothing is asserted.
#
#   tests/bench/narrow.sh [ROWS] [MBIT] [MILLISECONDS] [ARGUMENTS...]        default 2000000 rows, 20 Mbit/s, 50 ms each way
#
# ARGUMENTS are passed to the cutover, such as `--jobs 1`. The share is the time that the bytes take at the width of the line, all
# bytes of the command in this direction, divided by the seconds of the step: other steps send and receive next to nothing.
# MIGRATE names another binary to measure.
set -euo pipefail
rows=${1:-2000000} width=${2:-20} delay=${3:-50}
shift $(($# < 3 ? $# : 3))
# shellcheck source=tests/bench/server.sh
. "$(dirname "$0")/server.sh"
if [ -n "${MIGRATE:-}" ]; then migrate=$MIGRATE; else (cd "$here" && cargo build --release --locked --quiet --bin migrate); fi

sqlite3 "$work/narrow.db" <<SQL
CREATE TABLE t (id INTEGER PRIMARY KEY, day DATE, amount DECIMAL(12,2), active BOOLEAN, extra JSON, created_at TIMESTAMP,
                name TEXT, note TEXT, account_id INTEGER, category_id INTEGER, code TEXT);
WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < $rows)
INSERT INTO t SELECT i, date('2020-01-01', '+' || (i % 2000) || ' days'), ((i * 7919) % 10000000) / 100.0, i % 2,
       '{"a": ' || i || ', "b": "x' || (i % 97) || '"}', strftime('%Y-%m-%d %H:%M:%S', 1600000000 + i * 13, 'unixepoch'),
       'name ' || (i * 31 % 100003), 'some longer note about row ' || i, i % 1000 + 1, i % 50 + 1, 'C' || (i % 1000) FROM n;
SQL
cat >"$work/narrow.sql" <<'SQL'
CREATE TABLE t (id bigint PRIMARY KEY, day date, amount numeric(12,2), active boolean, extra jsonb, created_at timestamp, name text,
                note text, account_id int, category_id int, code text);
SQL
printf 'format = 1\nname = "narrow"\n[source]\npath = "narrow.db"\n[load.t]\n' >"$work/narrow.toml"

# narrow NAME DIRECTION STEP COMMAND...: the command gets the port of a network of its own in PORT.
narrow() {
    local name=$1 network port counted code=0; shift
    coproc NETWORK { exec python3 "$here/tests/bench/slow_network.py" "$work/pg/.s.PGSQL.5432" "$delay" "$width"; }
    network=$NETWORK_PID
    exec 7<&"${NETWORK[0]}"
    read -r port <&7
    "${@//PORT/$port}" --report "$work/report.json" >"$work/out" 2>&1 || code=$?
    kill "$network"
    read -r counted <&7
    exec 7<&-
    wait "$network" 2>/dev/null || true
    if [ "$code" != 0 ]; then echo "$name ended with $code:"; tail -5 "$work/out"; exit 1; fi
    python3 - "$work/report.json" "$name" "$width" $counted <<'PY'
import json, sys
report, name, width, trips, logins, outward, inward = sys.argv[1:]
for step in json.load(open(report))["steps"]:
    bytes = {"load": outward, "verify": inward}.get(step["step"])
    if bytes:
        needed = int(bytes) * 8 / (float(width) * 1e6)
        print(f"{name:<10}{step['step']:<8}{step['seconds']:>8.1f} s   {int(bytes) / 1e6:>8.1f} MB   busy {needed / step['seconds']:>6.1%}")
print(f"{name:<10}{trips} round trips, {logins} logins", flush=True)
PY
}
far_url='postgresql://postgres@127.0.0.1:PORT/bench?sslmode=disable'
fresh "$work/narrow.sql"
narrow cutover "$migrate" -m "$work/narrow.toml" -t "$far_url" --yes -q "$@"
narrow verify "$migrate" verify -m "$work/narrow.toml" -t "$far_url" -q
echo; echo "$rows rows, $width Mbit/s, $delay ms each way; $*"; uname -sr; nproc | sed 's/$/ processors/'; sql -c 'SELECT version()'; "$migrate" --version | head -1
