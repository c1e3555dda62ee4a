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
terraform_here apply -input=false -auto-approve "${variables[@]}" ||
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
