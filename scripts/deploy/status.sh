#!/usr/bin/env bash
# What runs, whether the engine is ready, and how fresh the lake is.
# shellcheck source-path=SCRIPTDIR source=lib.sh
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
require_settings status
terraform_init
say "$NAME in $PROJECT, profile $PROFILE, $(running)"
case $PROFILE in
small)
  on_machine "docker ps --format 'table {{.Names}}\t{{.Status}}'; curl -sS http://127.0.0.1:8080/readyz; curl -sS http://127.0.0.1:8080/api/v1/status" ||
    fail "the machine does not answer" "gcloud compute instances list --project=$PROJECT shows whether it runs" ;;
scale)
  cluster_credentials
  in_cluster get statefulset,pod
  in_cluster exec statefulset/engine -- /usr/bin/beatlytica health --ready || note "the engine is not ready" ;;
esac
say "The lake, newest day"
gcloud storage ls "gs://$lake_bucket/lake/v1/listen_events/" --project="$PROJECT" 2>/dev/null | tail -1 || note "nothing yet, or you may not list it"
