#!/bin/sh
# Peak memory of loads of 2,000,000 rows, or as many as asked for, and of half as many faults: the tests of
# `tests/memory.rs` in full size, with an optimised binary. Some minutes, and some hundred megabytes of disk.
#
# Usage: tests/memory.sh [ROWS]
set -eu
cd "$(dirname "$0")/.."
rows=${1:-2000000}
MIGRATE_MEMORY_ROWS=$rows MIGRATE_MEMORY_FAULTS=$((rows / 2)) cargo test --release --no-default-features --locked --test main memory:: -- --nocapture
