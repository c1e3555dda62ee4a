#!/usr/bin/env bash
# One Apache Kafka node (KRaft, broker and controller in one JVM) on loopback, for tests, benches and trying out.
# Its jars come from Maven Central as kafka/pom.xml names them.
#
#   kafka.sh start | stop | status | fetch | clean | run CLASS [ARG...]
#
# Environment: KAFKA_PORT (9092), KAFKA_CONTROLLER_PORT (KAFKA_PORT + 1), KAFKA_DATA (.cache/kafka/data),
# KAFKA_LIB (.cache/kafka/lib), KAFKA_HEAP (1g), KAFKA_LOG_LEVEL (warn), KAFKA_SECURITY (plaintext, sasl_ssl, or
# sasl_plaintext), KAFKA_MIN_SESSION_MS (6000: the shortest session timeout that a consumer may ask for).
# Example: kafka.sh run org.apache.kafka.tools.TopicCommand --bootstrap-server 127.0.0.1:9092 --list
#
# With KAFKA_SECURITY=sasl_ssl the node speaks TLS with SCRAM-SHA-512 and obeys ACLs. Its first start makes, below
# KAFKA_DATA/secrets: ca.pem (the authority to trust), admin.password and beatlytica.password (the users' random
# passwords; `admin` may do everything, `beatlytica` nothing before ACLs allow it), admin.properties (for the tools'
# --command-config).
# With KAFKA_SECURITY=sasl_plaintext clients sign in with OAUTHBEARER; Kafka's unsecured validator takes every token that is not
# signed and has not run out. For tests of signing in, and nothing else.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
cache=$here/../.cache/kafka
port=${KAFKA_PORT:-9092}
controller_port=${KAFKA_CONTROLLER_PORT:-$((port + 1))}
data=${KAFKA_DATA:-$cache/data}
lib=${KAFKA_LIB:-$cache/lib}
heap=${KAFKA_HEAP:-1g}
security=${KAFKA_SECURITY:-plaintext}
log=-Dorg.slf4j.simpleLogger.defaultLogLevel=${KAFKA_LOG_LEVEL:-warn}

# Whether the process is a node: the number may be another's by now, and one that ended may keep it until its parent takes note.
runs() { grep -qs kafka.Kafka "/proc/$1/cmdline" || ps -o args= -p "$1" 2>/dev/null | grep -q kafka.Kafka; }
alive() { [ -s "$data/kafka.pid" ] && runs "$(cat "$data/kafka.pid")"; }
answers() { (exec 3<>"/dev/tcp/127.0.0.1/$port") 2>/dev/null; }
# A tool ends before better code and a parallel collector would pay.
tool=(java -XX:TieredStopAtLevel=1 -XX:+UseSerialGC -cp "$lib/*" "$log")

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
listeners=${security^^}://127.0.0.1:$port,CONTROLLER://127.0.0.1:$controller_port
advertised.listeners=${security^^}://127.0.0.1:$port
listener.security.protocol.map=${security^^}:${security^^},CONTROLLER:PLAINTEXT
controller.listener.names=CONTROLLER
inter.broker.listener.name=${security^^}
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
group.min.session.timeout.ms=${KAFKA_MIN_SESSION_MS:-6000}
log.retention.ms=-1
log.retention.bytes=-1
EOF_PROPERTIES
  [ "$security" != sasl_plaintext ] || cat <<EOF_TOKENS
sasl.enabled.mechanisms=OAUTHBEARER
# Who does not sign in anew before his token runs out is disconnected.
connections.max.reauth.ms=3600000
sasl.mechanism.inter.broker.protocol=OAUTHBEARER
listener.name.sasl_plaintext.oauthbearer.sasl.jaas.config=org.apache.kafka.common.security.oauthbearer.OAuthBearerLoginModule required unsecuredLoginStringClaim_sub="admin";
EOF_TOKENS
  [ "$security" != sasl_ssl ] || cat <<EOF_SECURITY
ssl.keystore.type=PEM
ssl.keystore.location=$data/secrets/broker.pem
ssl.truststore.type=PEM
ssl.truststore.location=$data/secrets/ca.pem
sasl.enabled.mechanisms=SCRAM-SHA-512
sasl.mechanism.inter.broker.protocol=SCRAM-SHA-512
listener.name.sasl_ssl.scram-sha-512.sasl.jaas.config=$(jaas)
authorizer.class.name=org.apache.kafka.metadata.authorizer.StandardAuthorizer
super.users=User:admin;User:ANONYMOUS
EOF_SECURITY
}

jaas() {
  echo "org.apache.kafka.common.security.scram.ScramLoginModule required" \
    "username=\"admin\" password=\"$(cat "$data/secrets/admin.password")\";"
}

make_secrets() {
  mkdir -p "$data/secrets"
  chmod 700 "$data/secrets"
  (
    cd "$data/secrets"
    umask 077
    for user in admin beatlytica; do openssl rand -hex 24 > $user.password; done
    openssl req -x509 -newkey rsa:2048 -nodes -days 30 -subj /CN=test-authority -keyout ca-key.pem -out ca.pem
    openssl req -newkey rsa:2048 -nodes -subj /CN=localhost -keyout key.pem -out request.pem
    openssl x509 -req -in request.pem -CA ca.pem -CAkey ca-key.pem -CAcreateserial -days 30 -out certificate.pem \
      -extfile <(echo "subjectAltName=DNS:localhost,IP:127.0.0.1")
    cat key.pem certificate.pem ca.pem > broker.pem
    rm ca-key.pem key.pem request.pem certificate.pem ca.srl
    cat > admin.properties <<EOF_ADMIN
security.protocol=SASL_SSL
sasl.mechanism=SCRAM-SHA-512
sasl.jaas.config=$(jaas)
ssl.truststore.type=PEM
ssl.truststore.location=$data/secrets/ca.pem
EOF_ADMIN
  ) 2> "$data/openssl.out" || { cat "$data/openssl.out" >&2; return 1; }
}

format() {
  local users=() id
  id=$(head -c 99 /dev/urandom | base64 | tr -dc A-Za-z0-9 | cut -c1-22)
  if [ "$security" = sasl_ssl ]; then
    for user in admin beatlytica; do
      users+=(--add-scram "SCRAM-SHA-512=[name=$user,password=$(cat "$data/secrets/$user.password")]")
    done
  fi
  "${tool[@]}" kafka.tools.StorageTool format -t "$id" \
    -c "$data/server.properties" "${users[@]}" > "$data/format.out" 2>&1 || { cat "$data/format.out" >&2; return 1; }
}

start() {
  if alive; then echo "already running, pid $(cat "$data/kafka.pid"), 127.0.0.1:$port"; return; fi
  case $security in plaintext | sasl_ssl | sasl_plaintext) ;; *) echo "KAFKA_SECURITY must be plaintext, sasl_ssl or sasl_plaintext" >&2; return 2 ;; esac
  if answers; then echo "port $port is taken; set KAFKA_PORT to a free one" >&2; return 1; fi
  fetch
  mkdir -p "$data"
  data=$(cd "$data" && pwd)
  [ "$security" != sasl_ssl ] || [ -s "$data/secrets/ca.pem" ] || make_secrets
  (umask 077; properties > "$data/server.properties")
  [ -f "$data/log/meta.properties" ] || format
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

# Ends the node by a signal, and waits for that.
stop() {
  if alive; then
    pid=$(cat "$data/kafka.pid")
    kill -"$1" "$pid" 2>/dev/null || true
    # It may have ended while the kernel still closes its port and its files.
    for _ in $(seq 600); do runs "$pid" || answers || break; sleep 0.05; done
    if runs "$pid"; then kill -9 "$pid"; fi
  fi
  rm -f "$data/kafka.pid"
  echo stopped
}

case ${1:-} in
fetch) fetch ;;
start) start ;;
stop) stop TERM ;;
status)
  if alive && answers; then echo "running, pid $(cat "$data/kafka.pid"), 127.0.0.1:$port"; else echo "not running"; exit 1; fi ;;
# What it holds goes, so it need not put that in order first.
clean) stop KILL; rm -rf "$data" ;;
run) shift; fetch; exec "${tool[@]}" "$@" ;;
*) sed -n '2,17s/^# \{0,1\}//p' "$0" >&2; exit 2 ;;
esac
