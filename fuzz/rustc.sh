#!/usr/bin/env bash
# Cargo's RUSTC_WRAPPER: counts edges for libFuzzer in the project's own code. Dependencies are left as they are, so that
# they are those of the ordinary build. Every flag is one of the stable compiler.
case " $* " in
*" --crate-name beatlytica "* | *" --crate-name fuzz_"*)
  exec "$@" --cfg fuzzing -Cdebug-assertions -Coverflow-checks -Cpasses=sancov-module \
    -Cllvm-args=-sanitizer-coverage-level=4 -Cllvm-args=-sanitizer-coverage-inline-8bit-counters \
    -Cllvm-args=-sanitizer-coverage-pc-table -Cllvm-args=-sanitizer-coverage-trace-compares
  ;;
*) exec "$@" ;;
esac
