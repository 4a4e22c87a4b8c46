#!/bin/sh
# Runs the real tool against a real PostgreSQL while everything around it dies, and ends with a table of trials by kind.
#   tests/chaos.sh [--seconds N] [--seed S] [--kind "kill -9"] [--keep]
# A failed trial names its seed; `--seed S --seconds 1` runs that one again. `--keep` leaves its database.
set -eu
cd "$(dirname "$0")/.."
CHAOS_SECONDS=600
CHAOS_SEED=1
while [ $# -gt 0 ]; do
  case $1 in
    --seconds) CHAOS_SECONDS=$2; shift 2 ;;
    --seed) CHAOS_SEED=$2; shift 2 ;;
    --kind) CHAOS_KIND=$2; export CHAOS_KIND; shift 2 ;;
    --keep) CHAOS_KEEP=1; export CHAOS_KEEP; shift ;;
    *) sed -n 's/^#   //p' "$0" >&2; exit 2 ;;
  esac
done
export CHAOS_SECONDS CHAOS_SEED
exec cargo test --no-default-features --test main nothing_is_lost_doubled_or_changed_whatever_dies -- --nocapture
