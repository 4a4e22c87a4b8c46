#!/bin/sh
# Reads bent spellings of numbers, dates, JSON, arrays and intervals for a budget: tests/fuzz.sh --seconds 3600 --seed 1.
# Ends with what each type took and refused, the number of runs and the seed; a failure prints the input.
set -eu
cd "$(dirname "$0")/.."
while [ $# -gt 0 ]; do
    case "$1" in
        --seconds) export MIGRATE_FUZZ_SECONDS="$2"; shift 2 ;;
        --seed) export MIGRATE_SEED="$2"; shift 2 ;;
        *) echo "fuzz.sh: $1 is not known; --seconds N, --seed S" >&2; exit 2 ;;
    esac
done
exec cargo test --no-default-features --lib no_fuzzed_input_causes_a_panic -- --nocapture
