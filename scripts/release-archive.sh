#!/usr/bin/env bash
# release-archive.sh NAME: builds the program for this machine and packs it, with its completions, manual page and settings, into
# dist/beatlytica-VERSION-NAME.tar.gz, with a checksum beside it.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
name=${1:?usage: release-archive.sh NAME, such as x86_64-unknown-linux-gnu}
version=$(sed -nE 's/^version = "(.*)"/\1/p' Cargo.toml | head -1)
program=${BEATLYTICA_BIN:-}
if [ -z "$program" ]; then
  cargo build --locked --release --bin beatlytica
  program=${CARGO_TARGET_DIR:-target}/release/beatlytica
fi
folder=beatlytica-$version-$name
rm -rf "dist/$folder"
mkdir -p "dist/$folder/completions"
strip -o "dist/$folder/beatlytica" "$program"
for shell in bash zsh fish; do "$program" completions $shell > "dist/$folder/completions/beatlytica.$shell"; done
"$program" man > "dist/$folder/beatlytica.1"
cp -r README.md LICENSE CHANGELOG.md config "dist/$folder/"
# The same input gives the same bytes where tar can do that.
if tar --version 2>/dev/null | grep -q GNU; then
  tar --sort=name --owner=0 --group=0 --numeric-owner --mtime="@$(git log -1 --format=%ct)" -C dist -cf - "$folder" | gzip -n > "dist/$folder.tar.gz"
else
  tar -C dist -czf "dist/$folder.tar.gz" "$folder"
fi
rm -rf "dist/$folder"
cd dist
if command -v sha256sum >/dev/null; then sha256sum "$folder.tar.gz"; else shasum -a 256 "$folder.tar.gz"; fi > "$folder.tar.gz.sha256"
echo "dist/$folder.tar.gz"
