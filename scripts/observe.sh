#!/usr/bin/env bash
# The demo with Prometheus and Alertmanager beside it (and Grafana, where its binary is at hand), and one page that links
# all. Runs until it is interrupted; then the demo checks its lake. What it writes lies below OBSERVE_FOLDER.
#
# Environment: BEATLYTICA_BIN (target/debug/beatlytica), DEMO_FLAGS (see `beatlytica demo --help`), OBSERVE_FOLDER
# (.cache/observe), OBSERVE_PORTS (engine, Prometheus, Alertmanager, page: "8080 9090 9093 8090").
set -euo pipefail
# Each background job in a process group of its own: Ctrl-C comes to this script alone, which ends them in order.
set -m
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
bin=$(realpath "${BEATLYTICA_BIN:-$root/target/debug/beatlytica}")
folder=$(realpath -m "${OBSERVE_FOLDER:-$root/.cache/observe}")
read -r engine_port prometheus_port alertmanager_port page_port <<< "${OBSERVE_PORTS:-8080 9090 9093 8090}"
engine=127.0.0.1:$engine_port prometheus=127.0.0.1:$prometheus_port alertmanager=127.0.0.1:$alertmanager_port
page=127.0.0.1:$page_port
programs=$("$root/scripts/prometheus.sh" bin)
pids=()

say() { echo "observe: $*"; }
begin() { # begin NAME COMMAND...: in the background, its output in a file
  local name=$1
  shift
  "$@" > "$folder/$name.log" 2>&1 < /dev/null &
  pids+=($!)
}
end() {
  trap - EXIT INT TERM
  # Whatever goes wrong here, the rest is ended.
  set +e
  if [ -n "${demo:-}" ] && kill -INT "$demo" 2> /dev/null; then
    say "stopping; the demo writes what is buffered and checks its lake"
    wait "$demo"
    tail -n 1 "$folder/demo.log"
  fi
  # Bash would tell of every job that is ended.
  exec 2> /dev/null
  for pid in "${pids[@]}"; do kill -- "-$pid"; done
  wait
  say "all has ended"
}
trap end EXIT
trap 'exit 0' INT TERM

for address in "$engine" "$prometheus" "$alertmanager" "$page"; do
  if (exec 3<> "/dev/tcp/${address/://}") 2> /dev/null; then
    say "$address is taken; end what listens there, or choose other ports with OBSERVE_PORTS" >&2
    exit 1
  fi
done
mkdir -p "$folder"
rm -rf "$folder"/{page,prometheus,alertmanager}
mkdir -p "$folder"/page

read -ra flags <<< "${DEMO_FLAGS:-}"
begin demo "$bin" demo --folder "$folder/lake" --listen "$engine" "${flags[@]}"
demo=${pids[0]}

sed -e "s|docs: .*|docs: http://$page|" -e "s|- rules/|- $root/infra/prometheus/rules/|" -e "s|127.0.0.1:8080|$engine|" \
  -e "s|127.0.0.1:9090|$prometheus|" -e "s|127.0.0.1:9093|$alertmanager|" -e 's|_interval: 15s|_interval: 5s|' \
  "$root/infra/prometheus/prometheus.yml" > "$folder/prometheus.yml"
begin prometheus "$programs/prometheus" --config.file="$folder/prometheus.yml" \
  --storage.tsdb.path="$folder/prometheus" --web.listen-address="$prometheus"
begin alertmanager "$programs/prometheus-alertmanager" --config.file="$root/infra/alertmanager/alertmanager.yml" \
  --storage.path="$folder/alertmanager" --web.listen-address="$alertmanager" --cluster.listen-address= \
  --web.external-url="http://$alertmanager"
grafana=
if command -v grafana > /dev/null; then
  export BIGQUERY_PROJECT=
  begin grafana grafana server --homepath "${GRAFANA_HOME:-/usr/share/grafana}" \
    cfg:paths.provisioning="$root/infra/grafana/provisioning" cfg:paths.data="$folder/grafana" cfg:server.http_addr=127.0.0.1
  grafana=http://127.0.0.1:3000
fi
begin page python3 "$root/scripts/observe_page.py" "$page" "$demo" "http://$engine" "http://$prometheus" "http://$alertmanager" $grafana

for url in "http://$engine/readyz" "http://$prometheus/-/ready" "http://$alertmanager/-/ready" "http://$page/"; do
  for _ in $(seq 240); do
    curl -fs "$url" > /dev/null && break
    kill -0 "$demo" 2> /dev/null || { say "the demo has ended:" >&2; cat "$folder/demo.log" >&2; exit 1; }
    sleep 0.25
  done
  curl -fs "$url" > /dev/null || { say "$url does not answer; see $folder/*.log" >&2; exit 1; }
done
say "everything is linked at http://$page/ (Ctrl-C ends it)"
# Where the demo ends by itself, it says why.
wait "$demo" || { code=$?; cat "$folder/demo.log" >&2; exit $code; }
