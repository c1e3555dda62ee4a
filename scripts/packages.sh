#!/usr/bin/env bash
# Installs the system packages that building and testing need and that are missing. Without root it names them.
set -euo pipefail

missing=()
need() { # need PACKAGE COMMAND...: the package unless the command succeeds
  local package=$1
  shift
  "$@" >/dev/null 2>&1 || missing+=("$package")
}

need build-essential command -v cc
need build-essential command -v c++
need pkg-config command -v pkg-config
need libssl-dev pkg-config --exists openssl
need openssl command -v openssl
need zstd command -v zstd
need default-jre-headless command -v java
need maven command -v mvn
need chromium command -v chromium
need buildah command -v buildah
need debootstrap command -v debootstrap
need valgrind command -v valgrind
need shellcheck command -v shellcheck
need python3-venv python3 -c 'import ensurepip, venv'

[ ${#missing[@]} -gt 0 ] || exit 0
if [ "$(id -u)" -ne 0 ] || ! command -v apt-get >/dev/null; then
  echo "missing: ${missing[*]} (Debian's names); install them and try again" >&2
  exit 1
fi
export DEBIAN_FRONTEND=noninteractive
apt-get update -qq
apt-get install -y -qq --no-install-recommends "${missing[@]}"
