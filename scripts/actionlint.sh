#!/usr/bin/env bash
# Checks .github/workflows; actionlint is built from its Go module on first use.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
export GOBIN=$here/.cache/go/bin
[ -x "$GOBIN/actionlint" ] || go install github.com/rhysd/actionlint/cmd/actionlint@v1.7.8
cd "$here"
"$GOBIN/actionlint" -shellcheck "$(command -v shellcheck || true)" -pyflakes= .github/workflows/*.yml
