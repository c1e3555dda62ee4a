#!/usr/bin/env bash
# Takes everything away but the lake and Terraform's state; LAKE=delete takes the lake too, after its name was typed
# (make gives another LAKE, the marts', when it is given none).
# shellcheck source-path=SCRIPTDIR source=lib.sh
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
require_settings destroy
bucket_exists "$state_bucket" || fail "nothing of $NAME is deployed in $PROJECT (there is no gs://$state_bucket)"
terraform_init
same_region
resources=$(resources)
# Both profiles use one lake: an engine of the other one would lose it while it runs.
other=scale
[ "$PROFILE" = small ] || other=small
state=$(object "gs://$state_bucket/$other/default.tfstate")
if [[ $state == *'"mode": "managed"'* ]]; then
  [ -n "$resources" ] || fail "of profile $PROFILE nothing is deployed, but of profile $other; nothing was changed" "make destroy PROJECT=$PROJECT PROFILE=$other"
  [ "${LAKE:-}" != delete ] || fail "profile $other is deployed too and uses the lake; nothing was changed" "make destroy without LAKE=delete, or of PROFILE=$other before"
fi
if [ "${LAKE:-}" = delete ]; then
  printf 'gs://%s and every event in it will be deleted. Type its name to go on: ' "$lake_bucket"
  read -r typed || true
  [ "$typed" = "$lake_bucket" ] || fail "that is not its name; nothing was changed"
fi
lake=$(grep 'google_storage_bucket.lake$' <<<"$resources" || true)
history=$(deployments)
tag=$(tail -1 <<<"$history")
terraform_variables "${tag:-none}"
# Google makes it, and leaves it when the environment goes; nothing else tells its name afterwards.
dags=
[ "$PROFILE" = small ] || dags=$(field airflow dags 2>/dev/null || true)
[ "$PROFILE" = scale ] && variables+=(-var deletion_protection=false)

if [ "$PROFILE" = scale ] && grep -q google_container_cluster <<<"$resources"; then
  say "Stopping the engine: it writes what it holds"
  if cluster_access && in_cluster get statefulset >/dev/null; then
    # In the foreground: until the pods are gone, too.
    in_cluster delete statefulset engine --ignore-not-found --cascade=foreground --wait --timeout=120s || fail "the engine does not stop" "make logs PROFILE=scale shows why"
  else
    note "the cluster does not answer; what the engine held is read from Kafka no more"
  fi
  # Protection is an attribute: it has to be lifted before.
  terraform_here apply -input=false -auto-approve "${variables[@]}" -target=module.engine || fail "the cluster's protection cannot be lifted"
elif [ "$PROFILE" = small ]; then
  say "Stopping the engine: it writes what it holds"
  # A service that did not start has containers too, and is not stopped by systemd.
  on_machine "sudo systemctl stop beatlytica; sudo /bin/bash /etc/beatlytica/start stop" || note "the machine does not answer; what the engine held is read from Kafka no more"
fi

# Terraform may not destroy the lake (prevent_destroy): it forgets it, and a later deployment takes it over again.
if [ -n "$lake" ]; then
  say "Letting go of the lake"
  terraform_here state rm "$lake" >/dev/null || fail "Terraform cannot forget the lake; nothing was destroyed"
fi
say "Destroying"
terraform_here destroy -input=false -auto-approve "${variables[@]}" ||
  fail "Terraform stopped half-way" "the lines above say why; make destroy again goes on where it stopped"
# The images that it names went with the registry.
[ -z "$history" ] || gcloud storage rm "$history_object" --quiet || fail "$history_object cannot be deleted" "make destroy again"

if [ "${LAKE:-}" = delete ]; then
  say "Deleting the lake"
  gcloud storage rm --recursive "gs://$lake_bucket" --quiet || fail "gs://$lake_bucket could not be deleted" "make destroy LAKE=delete again"
  note "deleted; within 30 days it can be brought back: gcloud storage restore"
else
  note "kept: gs://$lake_bucket (make deploy takes it over again; LAKE=delete removes it)"
fi
[ -z "$dags" ] || note "kept: ${dags%/dags}, Composer's own bucket, with DAGs and logs; gcloud storage rm --recursive removes it"
note "kept: gs://$state_bucket, a few kB, with the history of the state; gcloud storage rm --recursive removes it"
