#!/bin/sh
# The entry of the stack image: starts what its version is made of (terraform/modules/host/start.sh stops it). Needs DATA, a folder with the same path here and on the machine, and Docker's socket.
set -eu
# A folder for each version: containers whose files changed see another path, and are made anew.
files=$DATA/stack/$BEATLYTICA_TAG
metadata=http://metadata.google.internal/computeMetadata/v1

# A secret's value, by the machine's own account; it goes into a file that its container alone reads.
secret() { # secret NAME OWNER
  token=$(wget -q -O - --header 'Metadata-Flavor: Google' "$metadata/instance/service-accounts/default/token" | sed -nE 's/.*"access_token": *"([^"]+)".*/\1/p')
  url=https://secretmanager.googleapis.com/v1/projects/$GOOGLE_CLOUD_PROJECT/secrets/$SECRET_PREFIX-$1/versions/latest:access
  # Read from standard input, so that the token is no argument that others could see.
  value=$(printf 'header = "Authorization: Bearer %s"\n' "$token" | curl -fsS --retry 20 --retry-delay 15 --retry-all-errors --config - "$url" | sed -nE 's/.*"data": *"([^"]+)".*/\1/p')
  [ -n "$value" ] || { echo "secret $SECRET_PREFIX-$1 has no value; make deploy makes it" >&2; return 1; }
  printf %s "$value" | base64 -d > "$DATA/secrets/$1.new"
  chown "$2" "$DATA/secrets/$1.new"
  chmod 0400 "$DATA/secrets/$1.new"
  mv "$DATA/secrets/$1.new" "$DATA/secrets/$1"
}

# The users that the images run as, and no other, write there.
folders() {
  for each in redpanda:101 prometheus:65534 prometheus-google:65534 alertmanager:65534 grafana:472 airflow:50000 metrics:50000; do
    mkdir -p "$DATA/${each%:*}"
    chown "${each#*:}" "$DATA/${each%:*}"
  done
}

compose() { docker compose --file "$files/infra/compose.yaml" "$@"; }

# To compose a service whose profile was switched off is no orphan: it would run on.
remove_switched_off() {
  all=$(compose --profile '*' config --services)
  on=$(compose config --services)
  off=
  for service in $all; do echo "$on" | grep -qxF "$service" || off="$off $service"; done
  # shellcheck disable=SC2086 # a word for each service
  [ -z "$off" ] || compose --profile '*' rm --stop --force $off
}

mkdir -p "$files" "$DATA/secrets"
chmod 0711 "$DATA/secrets"
cp -r "${STACK_FILES:-/opt/beatlytica}/." "$files/"
folders
if [ -n "${SECRET_PREFIX:-}" ]; then
  case ,$COMPOSE_PROFILES, in *,observability,* | *,observability-google,*) secret grafana-password 472 ;; esac
  case ,$COMPOSE_PROFILES, in *,airflow,*) secret airflow-password 50000 ;; esac
fi
remove_switched_off
compose up --detach --remove-orphans --quiet-pull
# The boot disk holds a few versions. What runs is kept, and what was built this week, to go back to at once.
docker image prune --all --force --filter until=168h >/dev/null || echo "old images could not be removed" >&2
find "$DATA/stack" -mindepth 1 -maxdepth 1 ! -name "$BEATLYTICA_TAG" -exec rm -rf {} +
