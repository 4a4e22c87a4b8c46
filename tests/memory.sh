#!/bin/sh
# Peak memory of loads of 2,000,000 rows, or as many as asked for, of half as many faults, and of a value as large as SQLite
# holds: the tests of `tests/cutover/memory.rs` in full size, with an optimised binary. Some minutes, 6 GB of disk and, for the
# server, 5 GB of memory.
#
# Usage: tests/memory.sh [ROWS]
set -eu
cd "$(dirname "$0")/.."
rows=${1:-2000000}
MIGRATE_MEMORY_VALUE=999000000 MIGRATE_MEMORY_ROWS=$rows MIGRATE_MEMORY_FAULTS=$((rows / 2)) cargo test --release --no-default-features --locked --test main memory:: -- --nocapture
