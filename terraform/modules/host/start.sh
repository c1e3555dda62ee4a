#!/bin/bash
# start up | stop: what beatlytica.service runs. It comes with the machine's metadata, so that an upgrade brings its own.
set -euo pipefail
running() { docker ps --quiet --filter label=com.docker.compose.project=beatlytica "$@"; }
if [ "${1:-}" = stop ]; then
  # Whatever version it is: that of the metadata may never have started. The engine first, which writes what it holds.
  running --filter label=com.docker.compose.service=engine | xargs --no-run-if-empty docker stop -t 60
  running | xargs --no-run-if-empty docker stop -t 60
  exit
fi
data=/mnt/disks/data
metadata() { curl -fsS -H 'Metadata-Flavor: Google' "http://metadata.google.internal/computeMetadata/v1/instance/attributes/$1"; }
device=/dev/disk/by-id/google-data
mkdir -p "$data"
mountpoint -q "$data" || {
  blkid "$device" >/dev/null || mkfs.ext4 -m 0 -q "$device"
  # Docker has started again what ran before the boot, on folders that it made where the disk is not yet: they would be kept.
  running | xargs --no-run-if-empty docker stop
  mount -o noatime,nosuid "$device" "$data"
}
# To the disk's size, which data_gb may have raised; else it changes nothing. Where it cannot grow it is still good to run on.
resize2fs "$device" || true
# The system's own home is read-only; Docker's sign-in to the registry is kept here.
export HOME=/var/lib/beatlytica
mkdir -p "$HOME"
image=$(metadata beatlytica-stack)
docker-credential-gcr configure-docker --registries="${image%%/*}"
metadata beatlytica-environment > "$HOME/environment"
# By itself, so that a failure is one: without profiles all containers would be removed.
profiles=$(metadata beatlytica-profiles)
exec docker run --rm --name beatlytica-stack --network host \
  --env-file "$HOME/environment" --env COMPOSE_PROFILES="$profiles" --env BEATLYTICA_TAG="${image##*:}" \
  --env DATA="$data" --env DOCKER_CONFIG="$HOME/.docker" \
  -v /var/run/docker.sock:/var/run/docker.sock -v "$data:$data" -v "$HOME:$HOME:ro" \
  -v /usr/bin/docker-credential-gcr:/usr/local/bin/docker-credential-gcr:ro \
  "$image"
