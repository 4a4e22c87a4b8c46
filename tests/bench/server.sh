# What the benchmarks share: a PostgreSQL of their own, and a stopwatch. To be sourced; gives $here, $bin, $work, $url.
#
# Settings are initdb's but for shared_buffers and max_wal_size. The server and all files are removed when the script ends.
here=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
bin=$(pg_config --bindir)
work=$(mktemp -d "${TMPDIR:-/tmp}/migrate-bench.XXXXXX")
chmod 755 "$work"
as() { if [ "$(id -u)" = 0 ]; then setpriv --reuid postgres --regid postgres --clear-groups -- "$@"; else "$@"; fi; }
mkdir "$work/pg"
if [ "$(id -u)" = 0 ]; then chown postgres "$work/pg"; fi
cleanup() { as "$bin/pg_ctl" -D "$work/pg/data" -m immediate stop >/dev/null 2>&1 || true; rm -rf "$work"; }
trap cleanup EXIT
(cd /; as "$bin/initdb" -D "$work/pg/data" -U postgres -A trust -E UTF8 --locale=C >/dev/null)
as tee -a "$work/pg/data/postgresql.conf" >/dev/null <<CONF
shared_buffers = 1GB
max_wal_size = 8GB
listen_addresses = ''
unix_socket_directories = '$work/pg'
CONF
(cd /; as "$bin/pg_ctl" -D "$work/pg/data" -l "$work/pg/log" -w start >/dev/null)
export PGHOST=$work/pg PGUSER=postgres PGDATABASE=postgres
sql() { psql -qAtX -v ON_ERROR_STOP=1 "$@"; }

migrate=${CARGO_TARGET_DIR:-$here/target}/release/migrate
fresh() { sql -c 'DROP DATABASE IF EXISTS bench' -c 'CREATE DATABASE bench' >/dev/null 2>&1; [ -z "${1:-}" ] || sql -d bench -f "$1"; sql -c CHECKPOINT; }
url="postgresql://postgres@/bench?host=$work/pg"
timed() { # NAME COMMAND...
    local name=$1 began ended; shift
    began=$(date +%s.%N)
    "$@" > "$work/out" 2>&1 || { echo "$name failed:"; tail -5 "$work/out"; return 1; }
    ended=$(date +%s.%N)
    awk -v n="$name" -v s="$(echo "$ended $began" | awk '{print $1 - $2}')" 'BEGIN { printf "%s\t%.3f\n", n, s }' | tee -a "$work/times"
}
