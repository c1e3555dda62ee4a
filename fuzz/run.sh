#!/usr/bin/env bash
# Builds the fuzz targets and runs each for SECONDS: fuzz/run.sh SECONDS [TARGET...]
# With FUZZ_SEED the same inputs come in the same order, as far as the time reaches: a check of every change must not fail by chance.
# The corpus grows in the target folder; seeds are in fuzz/seeds. What makes a target fail is kept in fuzz/found.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
seconds=$1
shift
[ $# -gt 0 ] || set -- decode batch ledger query settings

# Not --locked: the program's dependencies, which it builds on, may have moved on.
export CARGO_TARGET_DIR=${CARGO_TARGET_DIR:-$PWD/target}
RUSTC_WRAPPER=$PWD/fuzz/rustc.sh "${CARGO:-cargo}" build --manifest-path fuzz/Cargo.toml --bins
for target; do
  corpus=$CARGO_TARGET_DIR/fuzz/$target
  mkdir -p "$corpus" fuzz/found
  echo "fuzzing $target for $seconds s"
  "$CARGO_TARGET_DIR/debug/fuzz_$target" ${FUZZ_SEED:+-seed="$FUZZ_SEED"} -max_total_time="$seconds" -timeout=20 -rss_limit_mb=2048 -print_final_stats=1 \
    -dict="fuzz/dictionaries/$target.dict" -artifact_prefix="fuzz/found/$target-" "$corpus" "fuzz/seeds/$target" 2>"$corpus.log" || {
    tail -40 "$corpus.log" >&2
    echo "fuzzing $target found something: fuzz/found/$target-*; run it by $CARGO_TARGET_DIR/debug/fuzz_$target FILE" >&2
    exit 1
  }
  sed -n 's/^stat::number_of_executed_units: */  executed: /p' "$corpus.log"
done
