#!/bin/sh
# Peak memory of a load of 2,000,000 rows, or as many as asked for: the test of `tests/memory.rs` in full size, with an
# optimised binary. A few minutes, and some hundred megabytes of disk.
#
# Usage: tests/memory.sh [ROWS]
set -eu
cd "$(dirname "$0")/.."
MIGRATE_MEMORY_ROWS=${1:-2000000} cargo test --release --no-default-features --locked --test main memory:: -- --nocapture
