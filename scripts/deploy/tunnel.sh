#!/usr/bin/env bash
# Makes the system's pages reachable on this machine until it is ended (Ctrl-C): nothing has a public address.
# shellcheck source-path=SCRIPTDIR source=lib.sh
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
require_settings tunnel
terraform_init
say "Until Ctrl-C: http://127.0.0.1:8080 live charts"
case $PROFILE in
small)
  note "http://127.0.0.1:3000 Grafana, user admin, password: gcloud secrets versions access latest --secret=$NAME-grafana-password --project=$PROJECT"
  note "http://127.0.0.1:8081 Airflow, user admin, password: gcloud secrets versions access latest --secret=$NAME-airflow-password --project=$PROJECT"
  note "http://127.0.0.1:9090 Prometheus; 127.0.0.1:19092 Kafka"
  forwards=()
  for port in 8080 3000 8081 9090 9093 19092; do forwards+=(-L "127.0.0.1:$port:127.0.0.1:$port"); done
  exec gcloud compute ssh "$(output instance)" --zone="$(output zone)" --project="$PROJECT" --tunnel-through-iap -- -N -o ExitOnForwardFailure=yes "${forwards[@]}" ;;
scale)
  cluster_credentials
  # No exec: this shell removes the cluster's credentials at the end.
  in_cluster port-forward --address=127.0.0.1 statefulset/engine 8080:8080 ;;
esac
