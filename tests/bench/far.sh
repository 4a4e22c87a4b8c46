#!/usr/bin/env bash
# Round trips and seconds of each command on a target that is far away, next to those of pgloader and `psql \copy` where
# they are installed, on a PostgreSQL of its own that is reached through a slow network. Nothing is asserted.
#
#   tests/bench/far.sh [MAPPING] [MILLISECONDS...]        default personal_finance aunoo, and 0 10 50 milliseconds each way
#
# MAPPING is one of those in mappings/. `psql \copy` sends ready-made binary files, in one session and without any check; pgloader
# makes tables of its own and checks nothing. MIGRATE names another binary to measure.
set -euo pipefail
mappings="personal_finance aunoo"
if [ $# -gt 0 ] && [[ ! $1 =~ ^[0-9]+$ ]]; then mappings=$1; shift; fi
delays=${*:-0 10 50}
# shellcheck source=tests/bench/server.sh
. "$(dirname "$0")/server.sh"
if [ -n "${MIGRATE:-}" ]; then migrate=$MIGRATE; else (cd "$here" && cargo build --release --locked --quiet --bin migrate); fi
export ADMIN_PASSWORD_HASH='$2b$12$abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ01'

# far MILLISECONDS NAME EXIT COMMAND...: the command gets the port of a network of its own in $port.
far() {
    local delay=$1 name=$2 wanted=$3 began ended code=0 network port counted; shift 3
    coproc NETWORK { exec python3 "$here/tests/bench/slow_network.py" "$work/pg/.s.PGSQL.5432" "$delay"; }
    network=$NETWORK_PID
    exec 7<&"${NETWORK[0]}"
    read -r port <&7
    began=$(date +%s.%N)
    "${@//PORT/$port}" >"$work/out" 2>&1 || code=$?
    ended=$(date +%s.%N)
    kill "$network"
    read -r counted <&7
    exec 7<&-
    wait "$network" 2>/dev/null || true
    if [ "$code" != "$wanted" ]; then echo "$name ended with $code:"; tail -5 "$work/out"; return 0; fi
    awk -v m="$mapping" -v n="$name" -v d="$delay" -v c="$counted" -v s="$(echo "$ended $began" | awk '{print $1 - $2}')" \
        'BEGIN { split(c, f, " "); printf "%s\t%s\t%s\t%s\t%s\t%.2f\n", m, n, d, f[1], f[2], s }' >>"$work/far"
}
far_url='postgresql://postgres@127.0.0.1:PORT/bench?sslmode=disable'

for mapping in $mappings; do
    toml=$here/mappings/$mapping.toml
    before=""
    if [ -e "$here/fixtures/$mapping/before.sql" ]; then before=$here/fixtures/$mapping/before.sql; fi
    made() { fresh "$here/fixtures/$mapping/target.sql"; [ -z "$before" ] || sql -d bench -f "$before"; }
    rm -f "$work/source.db"
    sqlite3 "$work/source.db" <"$here/fixtures/$mapping/source.sql"
    # The files that `psql \copy` sends.
    made
    "$migrate" -m "$toml" -t "$url" --yes -q >/dev/null
    mkdir -p "$work/$mapping.bin"
    tables=$(sql -d bench -c "SELECT relname FROM pg_class WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace ORDER BY 1")
    echo "SET session_replication_role = replica; TRUNCATE $(echo "$tables" | sed 's/.*/"&"/' | paste -sd,);" >"$work/copy.sql"
    for table in $tables; do
        sql -d bench -c "\\copy \"$table\" TO '$work/$mapping.bin/$table' (FORMAT binary)"
        echo "\\copy \"$table\" FROM '$work/$mapping.bin/$table' (FORMAT binary)" >>"$work/copy.sql"
    done
    for delay in $delays; do
        echo "$mapping, $delay ms each way ..." >&2
        made
        far "$delay" plan 0 "$migrate" plan -m "$toml" -t "$far_url"
        far "$delay" "dry run" 0 "$migrate" -m "$toml" -t "$far_url" --dry-run -q
        far "$delay" cutover 0 "$migrate" -m "$toml" -t "$far_url" --yes -q
        far "$delay" "the same again" 0 "$migrate" -m "$toml" -t "$far_url" --yes -q
        far "$delay" verify 0 "$migrate" verify -m "$toml" -t "$far_url" -q
        far "$delay" status 0 "$migrate" status -m "$toml" -t "$far_url"
        far "$delay" rollback 0 "$migrate" rollback -m "$toml" -t "$far_url" --yes -q
        made
        far "$delay" 'psql \copy' 0 psql -qX -v ON_ERROR_STOP=1 -d "$far_url" -f "$work/copy.sql"
        if command -v pgloader >/dev/null; then
            fresh
            far "$delay" pgloader 0 pgloader --with "include no drop" "sqlite://$work/source.db" "$far_url"
        fi
    done
done
python3 - "$work/far" <<'PY'
import sys
found = {}
for line in open(sys.argv[1]):
    mapping, command, delay, trips, logins, seconds = line.rstrip("\n").split("\t")
    found.setdefault((mapping, command), {})[int(delay)] = (int(trips), int(logins), float(seconds))
delays = sorted({delay for each in found.values() for delay in each})
print(f"\n{'mapping':<18}{'command':<16}{'round trips':>12}{'logins':>8}" + "".join(f"{f'{d} ms':>10}" for d in delays))
for (mapping, command), each in found.items():
    # With latency the count is exact: without it an answer may come before the next statement is sent.
    trips, logins, _ = each[max(each)]
    times = "".join(f"{each[d][2]:>8.2f} s" if d in each else f"{'-':>10}" for d in delays)
    print(f"{mapping:<18}{command:<16}{trips:>12}{logins:>8}{times}")
PY
echo; uname -sr; nproc | sed 's/$/ processors/'; sql -c 'SELECT version()'; "$migrate" --version
