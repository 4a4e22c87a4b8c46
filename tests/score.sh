#!/bin/sh
# The verifier's own score: tests/score.sh --corruptions 2000 --pairs 1000 --seed 1. Plants corruptions in migrated targets and counts false
# alarms in clean pairs; ends with a table by kind. Prints its seed; a missed corruption is printed with it.
set -eu
cd "$(dirname "$0")/.."
while [ $# -gt 0 ]; do
    case "$1" in
        --corruptions) export MIGRATE_CORRUPTIONS="$2"; shift 2 ;;
        --pairs) export MIGRATE_CLEAN="$2"; shift 2 ;;
        --seed) export MIGRATE_SEED="$2"; shift 2 ;;
        *) echo "score.sh: $1 is not known; --corruptions N, --pairs N, --seed S" >&2; exit 2 ;;
    esac
done
exec cargo test --no-default-features --test main -- --nocapture verify::corruption::every_corruption verify::corruption::clean_pairs
