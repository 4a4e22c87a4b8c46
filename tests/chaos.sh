#!/bin/sh
# Runs the real tool against a real PostgreSQL while everything around it dies, and ends with a table of trials by kind.
#   tests/chaos.sh [--seconds N] [--seed S] [--kind "kill -9"] [--keep]
#   tests/chaos.sh --points [--seconds N]     ends the process after each answer of the target in turn
#   tests/chaos.sh --fleet N [--seed S]       N trials of `migrate fleet`, of 50 to 500 files and 1 to 6 workers each
#   tests/chaos.sh --panics                   lets it panic there, and searches all that is left for secrets
# A failed trial names its seed; `--seed S --seconds 1` runs that one again. `--keep` leaves its database.
set -eu
cd "$(dirname "$0")/.."
CHAOS_SECONDS=600
CHAOS_SEED=1
features=
what=no_accident_loses_doubles_or_changes_a_row
while [ $# -gt 0 ]; do
  case $1 in
    --seconds) CHAOS_SECONDS=$2; shift 2 ;;
    --seed) CHAOS_SEED=$2; shift 2 ;;
    --kind) CHAOS_KIND=$2; export CHAOS_KIND; shift 2 ;;
    --points) features='--features failpoints'; what=a_process_killed_after_any_answer_can_be_resumed; shift ;;
    --panics) features='--features failpoints'; what=a_panic_at_any_stage_shows_its_place_and_no_password_or_row; shift ;;
    --fleet) CHAOS_TRIALS=$2 CHAOS_FILES=500; export CHAOS_TRIALS CHAOS_FILES
      what=no_accident_loads_a_file_of_a_fleet_twice_in_part_or_under_another_owner; shift 2 ;;
    --keep) CHAOS_KEEP=1; export CHAOS_KEEP; shift ;;
    *) sed -n 's/^#   //p' "$0" >&2; exit 2 ;;
  esac
done
export CHAOS_SECONDS CHAOS_SEED
# shellcheck disable=SC2086  # no feature is no word
exec cargo test --no-default-features $features --test main "$what" -- --nocapture
