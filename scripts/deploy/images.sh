#!/usr/bin/env bash
# images.sh TAG: builds and pushes the images that the registry does not have yet.
# shellcheck source-path=SCRIPTDIR source=lib.sh
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
require_settings deploy
tag=$1
say "Images $tag"
gcloud auth configure-docker "$REGION-docker.pkg.dev" --quiet >/dev/null 2>&1 || fail "docker cannot be signed in to $REGION-docker.pkg.dev" "gcloud auth login"

publish() { # publish NAME DOCKERFILE [FLAG...]
  local image=$registry/$1:$tag file=$2
  shift 2
  if gcloud artifacts docker images describe "$image" --project="$PROJECT" >/dev/null 2>&1; then
    note "$image is there"
    return
  fi
  note "building $image"
  docker build --platform=linux/amd64 --file="$root/$file" --tag="$image" --build-arg=REVISION="$tag" "$@" "$root" || fail "$image cannot be built" "the lines above say why"
  docker push --quiet "$image" >/dev/null || fail "$image cannot be pushed" "you need roles/artifactregistry.writer on $PROJECT"
}

publish engine infra/Dockerfile
publish airflow infra/airflow.Dockerfile
publish grafana infra/grafana.Dockerfile
publish stack infra/stack.Dockerfile
