#!/usr/bin/env bash
# plan.sh TAG: what a deployment would do. Changes nothing.
# shellcheck source-path=SCRIPTDIR source=lib.sh
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
require_settings deploy
tag=$1
say "What would be done (PLAN=1; nothing is changed)"
if bucket_exists "$state_bucket"; then
  terraform_init
  same_region
else
  note "gs://$state_bucket would be made for Terraform's state"
  # Planned in a copy, with a state of its own, for the bucket of the state is not there.
  copy=$(mktemp -d)
  trap 'rm -rf "$copy"' EXIT
  cp -r "$root/terraform" "$copy/"
  environment=$copy/terraform/environments/$PROFILE
  printf 'terraform {\n  backend "local" {}\n}\n' > "$environment/backend_override.tf"
  # The copy has what a former deployment says of another bucket, too.
  terraform_here init -input=false -reconfigure >/dev/null || fail "Terraform cannot fetch its provider" "the lines above say why"
fi
for image in engine airflow grafana stack; do note "$registry/$image:$tag would be built and pushed, unless it is there"; done
terraform_variables "$tag"
adopt_lake
terraform_here plan -input=false -lock=false "${variables[@]}"
