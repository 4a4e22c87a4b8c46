#!/usr/bin/env bash
# The rate of `migrate fleet` on a PostgreSQL of its own, with fsync as PostgreSQL sets it: files in a second of one worker and of
# several, memory, the ledger's bytes for each file, and the milliseconds of the first and of the last tenth of the files. Several
# workers are started by xargs. Nothing is asserted.
#
#   tests/bench/fleet.sh [FILES] [WORKERS]                default 1000 3
#
# Each file has 63 rows in two tables with keys, references and three more indexes. `-k` as the third argument kills one of the
# workers when a quarter of the files is loaded; the others take its files when its lease has ended. MIGRATE names another binary to
# measure.
set -euo pipefail
files=${1:-1000} workers=${2:-3} kill=${3:-}
# shellcheck source=tests/bench/server.sh
. "$(dirname "$0")/server.sh"
if [ -n "${MIGRATE:-}" ]; then migrate=$MIGRATE; else (cd "$here" && cargo build --release --locked --quiet --bin migrate); fi

mkdir "$work/tenants"
seq 0 $((files - 1)) | while read -r n; do
    cat <<SQL
.open $work/tenants/$(printf 'u%06d.db' "$n")
PRAGMA journal_mode = off; PRAGMA synchronous = off;
CREATE TABLE acc (id INTEGER PRIMARY KEY, name TEXT NOT NULL);
CREATE TABLE tx (id INTEGER PRIMARY KEY, acc_id INTEGER NOT NULL REFERENCES acc, amount REAL NOT NULL, at TEXT NOT NULL, note TEXT);
INSERT INTO acc VALUES (1, 'cash'), (2, 'bank'), (3, 'card');
WITH RECURSIVE r(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM r WHERE i < 60)
INSERT INTO tx SELECT i, 1 + i % 3, ($n * 7 + i * 13) % 10000 / 100.0, printf('2026-01-%02d 10:00:00', 1 + i % 28),
       CASE WHEN i % 5 = 0 THEN 'note ' || i END FROM r;
SQL
done | sqlite3 >/dev/null

cat >"$work/target.sql" <<'SQL'
CREATE TABLE users (id bigserial PRIMARY KEY, username text NOT NULL UNIQUE);
CREATE TABLE acc (id bigserial PRIMARY KEY, user_id bigint NOT NULL REFERENCES users, name text NOT NULL);
CREATE TABLE tx (id bigserial PRIMARY KEY, user_id bigint NOT NULL REFERENCES users, acc_id bigint NOT NULL REFERENCES acc,
    amount numeric(12,2) NOT NULL, at timestamp NOT NULL, note text);
CREATE INDEX ON acc (user_id); CREATE INDEX ON tx (user_id, at); CREATE INDEX ON tx (acc_id);
SQL
cat >"$work/fleet.toml" <<'TOML'
format = 1
name = "fleet"
[owner]
table = "users"
match = { username = { member = true } }
create = {}
[load.acc]
owner = "user_id"
ids = "shift"
[load.tx]
owner = "user_id"
ids = "shift"
TOML

fleet() { "$migrate" fleet "$@" -m "$work/fleet.toml" -t "$url"; }
sources="$work/tenants/%{username}.db"
facts() {
    sql -d bench -c "SELECT 'ledger, bytes a file: ' || pg_total_relation_size('migrate.member') / count(*) FROM migrate.member" \
        -c "SELECT format('milliseconds a file, first tenth and last: %s and %s', round(avg(millis) FILTER (WHERE member <= $files / 10), 2),
                   round(avg(millis) FILTER (WHERE member > $files - $files / 10), 2)) FROM migrate.member"
}

fresh "$work/target.sql"
timed "dry run" fleet --sources "$sources" --dry-run -q
timed "one worker" fleet --sources "$sources" --yes -q
facts
timed verify fleet verify -q
fresh "$work/target.sql"
export migrate work url sources
worker='"$migrate" fleet -m "$work/fleet.toml" -t "$url" --sources "$sources" --yes -q >"$work/worker.$1" 2>&1'
loaded() { sql -d bench -c "SELECT count(*) FROM migrate.member WHERE state = 'Done'" 2>/dev/null || echo 0; }
if [ "$kill" = -k ]; then
    (until [ "$(loaded)" -ge $((files / 4)) ]; do :; done; pkill -9 -o -x "$(basename "$migrate")") &
fi
timed "$workers workers" xargs -a <(seq "$workers") -P"$workers" -I{} bash -c "$worker || true" worker {}
tail -n 4 "$work/worker.$workers"
timed verify fleet verify -q
