#!/usr/bin/env bash
# rollout.sh TAG: has the machine or the cluster run what was applied. The engine is told to stop, writes what it holds, and its
# successor goes on at the same offsets.
# shellcheck source-path=SCRIPTDIR source=lib.sh
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
require_settings deploy
tag=$1

# Whether Kubernetes has seen what was applied; only then is the revision that it names the new one.
seen() {
  local generation observed
  read -r generation observed revision < <(in_cluster get statefulset engine --output='jsonpath={.metadata.generation} {.status.observedGeneration} {.status.updateRevision}')
  [ "${observed:-0}" -ge "$generation" ]
}

# A pod that never became ready is not replaced, whatever was applied since: Kubernetes waits for it first (kubernetes#67250). What it
# decided, its successor finishes.
delete_stuck_pods() {
  local revision stuck pod
  until_true 60 "Kubernetes to see the manifests" seen || fail "Kubernetes does not take up the manifests" "gcloud container clusters get-credentials $NAME --region=$REGION --project=$PROJECT --dns-endpoint; kubectl --namespace=beatlytica describe statefulset engine shows why"
  stuck=$(in_cluster get pod --selector="app=engine,controller-revision-hash!=$revision" \
    --output='jsonpath={range .items[*]}{.metadata.name} {.status.conditions[?(@.type=="Ready")].status}{"\n"}{end}' | awk '$2 != "True" { print $1 }')
  for pod in $stuck; do
    note "$pod is not ready, and of a former version: it is deleted"
    in_cluster delete pod "$pod" --ignore-not-found --wait=false >/dev/null || fail "$pod cannot be deleted" "you need roles/container.developer"
  done
}

say "Rolling out $tag"
case $PROFILE in
small)
  # A new machine starts by itself, but answers no SSH for a minute.
  until_true "${DEPLOY_BOOT_DEADLINE:-600}" "the machine" on_machine true ||
    fail "the machine answers no SSH over Identity-Aware Proxy" "is $(account) among the operators? gcloud compute ssh $(output instance) --zone=$(output zone) --tunnel-through-iap --troubleshoot"
  on_machine "sudo systemctl reload-or-restart beatlytica" ||
    fail "the containers could not be started" "make logs shows why" ;;
scale)
  cluster_credentials
  "$root/scripts/deploy/manifests.sh" "$tag" | kubectl apply --server-side --field-manager=beatlytica --force-conflicts -f - >/dev/null || fail "Kubernetes refused the manifests" "the lines above say why"
  delete_stuck_pods
  in_cluster rollout status statefulset/engine --timeout="${DEPLOY_BOOT_DEADLINE:-900}s" ||
    fail "the engine does not become ready" "make logs PROFILE=scale shows why; make rollback PROFILE=scale goes back"
  kind=$(field airflow kind)
  case $kind in
  composer)
    dags=$(field airflow dags)
    copy=(gcloud storage rsync --recursive --delete-unmatched-destination-objects --quiet)
    if ! { "${copy[@]}" "$root/infra/airflow/dags" "$dags/beatlytica" && "${copy[@]}" --exclude='(^|/)(target|logs)/' "$root/dbt" "$(dirname "$dags")/data/dbt"; }; then
      fail "the DAGs cannot be copied to Composer" "you need roles/storage.objectAdmin on its bucket, $(dirname "$dags")"
    fi ;;
  vm)
    if ! { until_true "${DEPLOY_BOOT_DEADLINE:-600}" "Airflow's machine" on_machine true airflow_machine && on_machine "sudo systemctl reload-or-restart beatlytica" airflow_machine; }; then
      fail "Airflow's machine cannot be brought up to date" "gcloud compute instances list --project=$PROJECT shows whether it runs"
    fi ;;
  esac ;;
esac
