#!/usr/bin/env bash
# compose.sh up | down | ps | logs [SERVICE]: the whole system on this machine (infra/compose.yaml). Needs docker with compose 2.24 or newer.
# PROFILES chooses what runs (redpanda,simulate,observability,airflow); its data is in .compose.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
export DATA=${DATA:-$here/.compose} COMPOSE_PROFILES=${PROFILES:-redpanda,simulate,observability,airflow}
compose() { docker compose --file "$here/infra/compose.yaml" --file "$here/infra/compose.build.yaml" "$@"; }

prepare() {
  docker compose version >/dev/null 2>&1 || { echo "docker with its compose plugin is needed: docs.docker.com/compose/install" >&2; exit 1; }
  mkdir -p "$DATA"/{secrets,redpanda,prometheus,alertmanager,grafana,airflow,metrics}
  # The images' users are not this one: each writes into its own folder of this machine's throw-away data.
  chmod 0777 "$DATA"/{redpanda,prometheus,alertmanager,grafana,airflow,metrics}
  # Whatever the umask: no other user of this machine gets into the folder; the containers' users, to whom docker hands the files
  # themselves, may read them.
  chmod 0700 "$DATA/secrets"
  for secret in grafana-password airflow-password; do
    [ -s "$DATA/secrets/$secret" ] || openssl rand -base64 24 | tr -d '\n' > "$DATA/secrets/$secret"
    chmod 0644 "$DATA/secrets/$secret"
  done
}

case ${1:-} in
up)
  prepare
  compose up --detach --build --wait
  cat <<EOF_PAGES
http://127.0.0.1:8080  live charts
http://127.0.0.1:3000  Grafana   admin, password in $DATA/secrets/grafana-password
http://127.0.0.1:8081  Airflow   admin, password in $DATA/secrets/airflow-password
http://127.0.0.1:9090  Prometheus
EOF_PAGES
  ;;
down) compose --profile '*' down --timeout 60 ;;
ps) compose ps ;;
logs) shift; compose logs --follow --tail 200 "$@" ;;
*) sed -n '2,3s/^# \{0,1\}//p' "$0" >&2; exit 2 ;;
esac
