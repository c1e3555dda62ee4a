#!/usr/bin/env bash
# The engine's log, newest lines first, then as it grows. SERVICE names another container.
# shellcheck source-path=SCRIPTDIR source=lib.sh
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
require_settings logs
service=${SERVICE:-engine}
[[ $service =~ ^[a-z-]+$ ]] || fail "SERVICE=$service is no name of a container"
terraform_init
machine="sudo journalctl --no-pager -n 50 -u beatlytica; docker logs --tail 200 --follow beatlytica-$service-1"
case $PROFILE in
small) on_machine "$machine" ;;
scale)
  case $service in
  airflow | node-exporter)
    kind=$(field airflow kind)
    [ "$kind" = vm ] || fail "Airflow has no machine here: airflow is \"$kind\"" "Composer has its logs on Airflow's page, and in Cloud Logging:" \
      "gcloud logging read resource.type=cloud_composer_environment --project=$PROJECT --limit=200"
    on_machine "$machine" airflow_machine ;;
  *)
    cluster_credentials
    in_cluster logs --tail=200 --follow "statefulset/$service" ;;
  esac ;;
esac
