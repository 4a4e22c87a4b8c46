#!/bin/sh
# Passes the tests on a fresh machine: installs what they need where it is missing, then checks format, lints, tests, docs, and
# the crates where cargo-deny is installed.
#
# Needs Rust (rustup or the distribution's) and a C compiler. Installs, as root and with apt alone: PostgreSQL's server
# (12 or later), PgBouncer and OpenSSL. Elsewhere it says what is missing. Other versions: tests/versions.sh
#
# Usage: tests/run.sh [ARGUMENTS OF cargo test]
set -eu
cd "$(dirname "$0")/.."

step() { printf '\n== %s\n' "$*" >&2; }

fail() {
    printf 'tests/run.sh: %s\n' "$*" >&2
    exit 1
}

# Debian keeps the server's binaries out of the path; pg_config is in postgresql-common and libpq-dev.
server() {
    bindir=$(pg_config --bindir 2>/dev/null) && [ -x "$bindir/initdb" ] && [ -x "$bindir/postgres" ]
}

missing() {
    server || echo postgresql libpq-dev
    command -v psql >/dev/null || echo postgresql-client
    command -v pgbouncer >/dev/null || [ -x /usr/sbin/pgbouncer ] || echo pgbouncer
    command -v openssl >/dev/null || echo openssl
    command -v script >/dev/null || echo bsdutils
    command -v setpriv >/dev/null || echo util-linux
}

command -v cargo >/dev/null || fail "cargo: not found. Install Rust first, with rustup for example."

packages=$(missing)
if [ -n "$packages" ]; then
    # The names are Debian's.
    names=$(echo $packages)
    command -v apt-get >/dev/null || fail "missing: $names (as Debian calls them). Install them, then run this again."
    [ "$(id -u)" = 0 ] || fail "missing: $names. Run as root: apt-get update && apt-get install -y $names"
    step "installing $names"
    export DEBIAN_FRONTEND=noninteractive
    apt-get update -q
    # shellcheck disable=SC2086  # a list of words
    apt-get install -y -q --no-install-recommends $names
    packages=$(missing)
    [ -z "$packages" ] || fail "still missing after installing: $(echo $packages)"
fi

version=$("$(pg_config --bindir)/postgres" --version | sed 's/[^0-9]*\([0-9]*\).*/\1/')
[ "$version" -ge 12 ] || fail "PostgreSQL $version is installed; the tests need 12 or later."

PATH=$PATH:/usr/sbin
export PATH

step "cargo fmt"
cargo fmt --check
step "cargo clippy"
cargo clippy --locked --all-targets -- -D warnings
step "cargo test"
cargo test --locked "$@"
step "cargo doc"
RUSTDOCFLAGS="-D warnings" cargo doc --locked --no-deps --document-private-items
if command -v cargo-deny >/dev/null; then
    step "cargo deny"
    cargo deny check bans licenses sources
fi
step "all passed"
[ -n "${MIGRATE_TEST_CITUS:-}" ] || printf 'tests/citus: the suite for a cluster was not run: MIGRATE_TEST_CITUS is not set\n' >&2
