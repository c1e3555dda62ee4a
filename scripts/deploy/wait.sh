#!/usr/bin/env bash
# Waits until the engine is ready and, where events are simulated, until the first of them is in the lake.
# shellcheck source-path=SCRIPTDIR source=lib.sh
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
require_settings deploy
say "Waiting"
ready() {
  case $PROFILE in
  small) on_machine "curl -fsS http://127.0.0.1:8080/readyz" ;;
  scale) in_cluster exec statefulset/engine -- /usr/bin/beatlytica health --ready ;;
  esac
}
[ "$PROFILE" = small ] || cluster_credentials
until_true "${DEPLOY_READY_DEADLINE:-600}" "the engine to be ready" ready ||
  fail "the engine is not ready: $(ready 2>&1 | tail -1)" "make logs PROFILE=$PROFILE shows why; docs/setup/debugging.md has the usual causes"
note "the engine is ready"

first_object() { gcloud storage objects list "gs://$lake_bucket/lake/v1/**.parquet" --limit=1 --format='value(name)' 2>/dev/null; }
has_object() { [ -n "$(first_object)" ]; }
if [ "$(output simulate 2>/dev/null || echo false)" = true ]; then
  until_true "${DEPLOY_DATA_DEADLINE:-600}" "the first Parquet object" has_object ||
    fail "nothing reached gs://$lake_bucket" "make status shows whether events arrive; docs/setup/debugging.md has the usual causes"
  note "the lake has $(first_object)"
else
  note "no events are simulated: docs/setup/kafka.md says how to send yours"
fi
