#!/usr/bin/env bash
# apply.sh TAG: makes what Terraform describes, images included, and the values of secrets that have none.
# shellcheck source-path=SCRIPTDIR source=lib.sh
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
require_settings deploy
tag=$1
terraform_init
same_region
terraform_variables "$tag"
adopt_lake

# The registry before the images, the images before what runs them.
if ! gcloud artifacts repositories describe "$NAME" --location="$REGION" --project="$PROJECT" >/dev/null 2>&1; then
  say "APIs and registry"
  terraform_here apply -input=false -auto-approve "${variables[@]}" -target=module.services -target=module.registry ||
    fail "Terraform could not make the registry" "the lines above say why; make deploy again goes on where it stopped"
fi
"$root/scripts/deploy/images.sh" "$tag"

say "Terraform"
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
terraform_here plan -input=false -out="$work/plan" "${variables[@]}" || fail "Terraform cannot plan; nothing was changed but images" "the lines above say why"
planned=$(terraform_here show -no-color "$work/plan") || fail "Terraform cannot read its own plan"
# What nothing else holds: Kafka's log, and the images to roll back to. A smaller disk, another zone or key make it anew, empty. What is
# tainted was never finished.
lost=$(grep -E '^ +# module\.(host\.google_compute_disk\.data|broker\[0\]\.google_managed_kafka_(cluster|topic)\.|registry\..*\.images ).*(destroyed|replaced)' <<<"$planned" | grep -v ' is tainted' || true)
[ -z "$lost" ] || fail "this would destroy what nothing else holds; nothing was changed but images:" "${lost//  # /}" \
  "take the setting back (docs/setup/terraform.md says why); or make destroy, which writes what the engine holds, and make deploy"
terraform_here apply -input=false "$work/plan" ||
  fail "Terraform stopped half-way" "what was made stays and is in its state; the lines above say why; make deploy again goes on where it stopped"

say "Secrets"
secrets=$(terraform_here output -json secrets | tr '[]",' ' ')
for secret in $secrets; do
  # By itself, so that a call that fails does not count as no value.
  versions=$(gcloud secrets versions list "$secret" --project="$PROJECT" --filter=state=ENABLED --limit=1 --format='value(name)') ||
    fail "the versions of secret $secret cannot be listed" "you need roles/secretmanager.admin on $PROJECT"
  if [ -n "$versions" ]; then
    note "$secret has a value"
  elif [[ $secret == *-kafka-* ]]; then
    fail "secret $secret has no value: it is your broker's" "printf %s 'VALUE' | gcloud secrets versions add $secret --project=$PROJECT --data-file=-" \
      "(with a leading space, so that your shell does not remember it); then make deploy again"
  else
    # Through a pipe: an argument could be read by every user of this machine.
    openssl rand -base64 24 | tr -d '\n' | gcloud secrets versions add "$secret" --project="$PROJECT" --data-file=- >/dev/null ||
      fail "secret $secret cannot be given a value" "you need roles/secretmanager.admin on $PROJECT"
    note "$secret has a new random value"
  fi
done
