#!/usr/bin/env bash
# Builds the engine's image around a program that is built already, with buildah, which needs no engine and no root daemon:
#
#   image.sh PROGRAM TAG
#
# The base is made by debootstrap where none is named (IMAGE_BASE), so that no registry of images is needed. For the plain way, where
# everything is compiled in the image, `docker build -f infra/Dockerfile .` is enough.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
program=${1:?usage: image.sh PROGRAM TAG}
tag=${2:?usage: image.sh PROGRAM TAG}
export BUILDAH_ISOLATION=chroot STORAGE_DRIVER=vfs
base=${IMAGE_BASE:-localhost/beatlytica-base:bookworm}

make_base() {
  local folder container
  folder=$(mktemp -d)
  # shellcheck disable=SC2064 # the folder of now
  trap "rm -rf '$folder'" EXIT
  # The machine's own mirror: a base from elsewhere could not install its packages here.
  debootstrap --variant=minbase --include=ca-certificates,libssl3 bookworm "$folder" ${DEBIAN_MIRROR:+"$DEBIAN_MIRROR"} >"$here/.cache/debootstrap.log" 2>&1 ||
    { tail -20 "$here/.cache/debootstrap.log" >&2; return 1; }
  rm -rf "$folder"/var/cache/apt/*.bin "$folder"/var/cache/apt/archives/*.deb "$folder"/usr/share/{doc,man,locale}
  container=$(buildah from scratch)
  buildah add -q "$container" "$folder" / >/dev/null
  buildah commit -q --rm "$container" "$base" >/dev/null
}

mkdir -p "$here/.cache" "$here/dist"
buildah inspect --type image "$base" >/dev/null 2>&1 || make_base
strip -o "$here/dist/beatlytica" "$program"
(cd "$here" && cargo tree --locked --edges normal --prefix none --format '{p} {l}') > "$here/dist/crates.txt"
buildah bud -q --format docker --network host --layers=false -f "$here/infra/Dockerfile" \
  --build-arg BASE="$base" --build-arg RUST="$base" --build-arg BINARY=prebuilt --build-arg VERSION="$(sed -nE 's/^version = "(.*)"/\1/p' "$here/Cargo.toml" | head -1)" \
  --build-arg REVISION="$(git -C "$here" rev-parse HEAD)" -t "$tag" "$here"
