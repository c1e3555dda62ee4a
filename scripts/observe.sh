#!/usr/bin/env bash
# The engine under load with Prometheus and Alertmanager beside it (and Grafana, where its binary is at hand), and one page
# that links all. Runs until it is interrupted; what it writes lies below .cache/observe.
#
# Environment: BEATLYTICA_BIN (target/debug/beatlytica), OBSERVE_RATE (200 records a second and topic).
set -euo pipefail
# Each background job in a process group of its own, so that it can be ended with all that it started.
set -m
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
folder=$root/.cache/observe
bin=${BEATLYTICA_BIN:-$root/target/debug/beatlytica}
rate=${OBSERVE_RATE:-200}
prometheus=$("$root/scripts/prometheus.sh" bin)
engine=127.0.0.1:8080 page=127.0.0.1:8090 kafka=127.0.0.1:19092
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
  say "stopping"
  for ((at = ${#pids[@]} - 1; at >= 0; at--)); do kill -- "-${pids[at]}" 2>/dev/null || true; done
  wait || true
  KAFKA_DATA=$folder/kafka "$root/scripts/kafka.sh" clean > /dev/null
}

rm -rf "$folder"
mkdir -p "$folder"/{page,prometheus,alertmanager}
trap end EXIT
trap 'exit 0' INT TERM

export BEATLYTICA__KAFKA__BROKERS=$kafka BEATLYTICA__LAKE__URL=file://$folder/lake BEATLYTICA__HTTP__LISTEN=$engine
export BEATLYTICA__LAKE__UPLOAD_INTERVAL=10s BEATLYTICA__WINDOWS__IDLE_AFTER=5s
KAFKA_PORT=${kafka#*:} KAFKA_DATA=$folder/kafka KAFKA_HEAP=768m "$root/scripts/kafka.sh" start
mkdir -p "$folder/lake"
for topic in listen_events page_view_events auth_events status_change_events; do
  begin "load-$topic" bash -c \
    "python3 '$root/scripts/events.py' $rate | '$bin' replay - --topic $topic --rate $rate --create-partitions 2"
done
begin engine "$bin" run

sed -e "s|docs: .*|docs: http://$page/docs|" -e "s|- rules/|- $root/infra/prometheus/rules/|" \
  "$root/infra/prometheus/prometheus.yml" > "$folder/prometheus.yml"
begin prometheus "$prometheus/prometheus" --config.file="$folder/prometheus.yml" \
  --storage.tsdb.path="$folder/prometheus" --web.listen-address=127.0.0.1:9090
begin alertmanager "$prometheus/prometheus-alertmanager" --config.file="$root/infra/alertmanager/alertmanager.yml" \
  --storage.path="$folder/alertmanager" --web.listen-address=127.0.0.1:9093 --cluster.listen-address=

grafana="<li>Grafana: no binary here. Its dashboards lie in <code>dashboards/</code>, its provisioning in <code>infra/grafana/</code></li>"
if command -v grafana > /dev/null; then
  export BIGQUERY_PROJECT=
  begin grafana grafana server --homepath "${GRAFANA_HOME:-/usr/share/grafana}" \
    cfg:paths.provisioning="$root/infra/grafana/provisioning" cfg:paths.data="$folder/grafana" cfg:server.http_addr=127.0.0.1
  grafana='<li><a href="http://127.0.0.1:3000/dashboards">Grafana</a></li>'
fi

ln -s "$root/docs" "$folder/page/docs"
cat > "$folder/page/index.html" <<EOF_PAGE
<!doctype html><html lang="en"><meta charset="utf-8"><title>Beatlytica observed</title>
<style>body{font:1rem/1.6 system-ui;max-width:44rem;margin:3rem auto;padding:0 1rem}</style>
<h1>Beatlytica, observed</h1>
<ul>
<li><a href="http://$engine/">Live page</a>, <a href="http://$engine/api/v1/status">status</a>, <a href="http://$engine/metrics">metrics</a>,
<a href="http://$engine/readyz">ready?</a></li>
<li><a href="http://127.0.0.1:9090/alerts">Prometheus: alerts</a>, <a href="http://127.0.0.1:9090/targets">targets</a>,
<a href="http://127.0.0.1:9090/graph?g0.expr=beatlytica_partition_lag_seconds&g0.tab=0&g0.range_input=15m">lag in seconds</a></li>
<li><a href="http://127.0.0.1:9093/">Alertmanager</a></li>
$grafana
<li><a href="docs/runbooks/">Runbooks</a>, <a href="docs/operations.md">operations</a>, <a href="docs/metrics.md">metrics</a></li>
</ul>
<p>Break something: <code>kill -STOP $(printf '%s' "${pids[4]}")</code> is the engine; watch the alerts.</p>
EOF_PAGE
begin page python3 -m http.server --bind "${page%:*}" --directory "$folder/page" "${page#*:}"

for url in "http://$engine/readyz" http://127.0.0.1:9090/-/ready http://127.0.0.1:9093/-/ready "http://$page/"; do
  for _ in $(seq 120); do curl -fs "$url" > /dev/null && break; sleep 0.5; done
  curl -fs "$url" > /dev/null || { say "$url does not answer; see $folder/*.log" >&2; exit 1; }
done
say "everything is linked at http://$page/ (Ctrl-C ends it)"
[ "${OBSERVE_ONCE:-}" = 1 ] || wait "${pids[4]}"
