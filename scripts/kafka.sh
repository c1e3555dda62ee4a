#!/usr/bin/env bash
# One Apache Kafka node (KRaft, broker and controller in one JVM) on loopback, for tests, benches and trying out.
# Its jars come from Maven Central as kafka/pom.xml names them.
#
#   kafka.sh start | stop | status | fetch | clean | run CLASS [ARG...]
#
# Environment: KAFKA_PORT (9092), KAFKA_CONTROLLER_PORT (KAFKA_PORT + 1), KAFKA_DATA (.cache/kafka/data),
# KAFKA_LIB (.cache/kafka/lib), KAFKA_HEAP (1g), KAFKA_LOG_LEVEL (warn).
# Example: kafka.sh run org.apache.kafka.tools.TopicCommand --bootstrap-server 127.0.0.1:9092 --list
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
cache=$here/../.cache/kafka
port=${KAFKA_PORT:-9092}
controller_port=${KAFKA_CONTROLLER_PORT:-$((port + 1))}
data=${KAFKA_DATA:-$cache/data}
lib=${KAFKA_LIB:-$cache/lib}
heap=${KAFKA_HEAP:-1g}
log=-Dorg.slf4j.simpleLogger.defaultLogLevel=${KAFKA_LOG_LEVEL:-warn}

alive() { [ -s "$data/kafka.pid" ] && kill -0 "$(cat "$data/kafka.pid")" 2>/dev/null; }
answers() { (exec 3<>"/dev/tcp/127.0.0.1/$port") 2>/dev/null; }
java_class() { java -cp "$lib/*" "$log" "$@"; }

fetch() {
  # The marker is written last: a download that was cut off is done again.
  [ -e "$lib/.complete" ] && return
  mkdir -p "$lib"
  mvn -q -B -Dstyle.color=never -f "$here/kafka/pom.xml" dependency:copy-dependencies \
    -DoutputDirectory="$lib" -DincludeScope=runtime
  touch "$lib/.complete"
}

properties() {
  cat <<EOF_PROPERTIES
process.roles=broker,controller
node.id=1
controller.quorum.voters=1@127.0.0.1:$controller_port
listeners=PLAINTEXT://127.0.0.1:$port,CONTROLLER://127.0.0.1:$controller_port
advertised.listeners=PLAINTEXT://127.0.0.1:$port
controller.listener.names=CONTROLLER
inter.broker.listener.name=PLAINTEXT
log.dirs=$data/log
num.partitions=4
auto.create.topics.enable=false
offsets.topic.replication.factor=1
offsets.topic.num.partitions=4
transaction.state.log.replication.factor=1
transaction.state.log.min.isr=1
transaction.state.log.num.partitions=4
share.coordinator.state.topic.replication.factor=1
share.coordinator.state.topic.min.isr=1
group.initial.rebalance.delay.ms=0
log.retention.ms=-1
log.retention.bytes=-1
EOF_PROPERTIES
}

start() {
  if alive; then echo "already running, pid $(cat "$data/kafka.pid"), 127.0.0.1:$port"; return; fi
  if answers; then echo "port $port is taken; set KAFKA_PORT to a free one" >&2; return 1; fi
  fetch
  mkdir -p "$data"
  data=$(cd "$data" && pwd)
  properties > "$data/server.properties"
  if [ ! -f "$data/log/meta.properties" ]; then
    java_class kafka.tools.StorageTool format -t "$(java_class kafka.tools.StorageTool random-uuid)" \
      -c "$data/server.properties" > "$data/format.out" 2>&1 || { cat "$data/format.out" >&2; return 1; }
  fi
  nohup java -Xms256m -Xmx"$heap" -cp "$lib/*" "$log" -Dorg.slf4j.simpleLogger.showDateTime=true \
    kafka.Kafka "$data/server.properties" > "$data/server.out" 2>&1 < /dev/null &
  echo $! > "$data/kafka.pid"
  for _ in $(seq 300); do
    alive || break
    if answers; then echo "started, pid $(cat "$data/kafka.pid"), 127.0.0.1:$port"; return; fi
    sleep 0.2
  done
  echo "did not start; see $data/server.out" >&2
  return 1
}

stop() {
  if alive; then
    pid=$(cat "$data/kafka.pid")
    kill "$pid"
    for _ in $(seq 150); do kill -0 "$pid" 2>/dev/null || break; sleep 0.2; done
    kill -9 "$pid" 2>/dev/null || true
  fi
  rm -f "$data/kafka.pid"
  echo stopped
}

case ${1:-} in
fetch) fetch ;;
start) start ;;
stop) stop ;;
status)
  if alive && answers; then echo "running, pid $(cat "$data/kafka.pid"), 127.0.0.1:$port"; else echo "not running"; exit 1; fi ;;
clean) stop; rm -rf "$data" ;;
run) shift; fetch; exec java -cp "$lib/*" "$log" "$@" ;;
*) sed -n '2,9s/^# \{0,1\}//p' "$0" >&2; exit 2 ;;
esac
