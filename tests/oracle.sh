#!/bin/sh
# Runs the oracle for a budget: tests/oracle.sh --seconds 86400 --seed 1. Prints its seeds; a failure prints the one that repeats it.
set -eu
cd "$(dirname "$0")/.."
while [ $# -gt 0 ]; do
    case "$1" in
        --seconds) export MIGRATE_ORACLE_SECONDS="$2"; shift 2 ;;
        --seed) export MIGRATE_SEED="$2"; shift 2 ;;
        *) echo "oracle.sh: $1 is not known; --seconds N, --seed S" >&2; exit 2 ;;
    esac
done
exec cargo test --no-default-features --test main oracle:: -- --nocapture
