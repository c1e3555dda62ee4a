#!/usr/bin/env bash
# Says at once all that is missing for a deployment, and how to get it.
# shellcheck source-path=SCRIPTDIR source=lib.sh
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
require_settings deploy
say "Checking tools, sign-in, project, billing and quotas"
problems=()
problem() { problems+=("$1"$'\n'"       -> $2"); }

tools=(gcloud terraform docker git openssl)
[ "$PROFILE" = scale ] && tools+=(kubectl gke-gcloud-auth-plugin)
declare -A where=(
  [gcloud]="cloud.google.com/sdk/docs/install" [terraform]="1.9 or newer: developer.hashicorp.com/terraform/install"
  [docker]="docs.docker.com/engine/install" [git]="your system's package git" [openssl]="your system's package openssl"
  [kubectl]="gcloud components install kubectl" [gke-gcloud-auth-plugin]="gcloud components install gke-gcloud-auth-plugin"
)
for tool in "${tools[@]}"; do
  command -v "$tool" >/dev/null || problem "$tool is not installed" "${where[$tool]}"
done

if command -v terraform >/dev/null; then
  version=$(terraform version -json 2>/dev/null | sed -nE 's/.*"terraform_version": *"([0-9.]+).*/\1/p')
  [ "$(printf '%s\n' 1.9.0 "${version:-0}" | sort -V | head -1)" = 1.9.0 ] || problem "terraform ${version:-of an unknown version} is too old" "${where[terraform]}"
fi
if command -v docker >/dev/null && [ "${PLAN:-}" != 1 ]; then
  docker info >/dev/null 2>&1 || problem "docker does not answer" "start Docker; on Linux: sudo systemctl start docker, and be in the group docker"
fi

if command -v gcloud >/dev/null; then
  if [ -z "$(account)" ]; then
    problem "nobody is signed in" "gcloud auth login"
  elif ! number=$(gcloud projects describe "$PROJECT" --format='value(projectNumber)' 2>/dev/null) || [ -z "$number" ]; then
    problem "project $PROJECT does not exist, or $(account) may not see it" "gcloud projects create $PROJECT, or ask for roles/owner on it; gcloud projects list shows yours"
  else
    billing=$(gcloud billing projects describe "$PROJECT" --format='value(billingEnabled)' 2>/dev/null || true)
    [ "${billing,,}" = true ] ||
      problem "billing is off for $PROJECT" "gcloud billing projects link $PROJECT --billing-account=ID (gcloud billing accounts list shows ids)"
    # What a region still allows is known only once Compute Engine is on; Terraform switches it on.
    wanted=4
    [ "$PROFILE" = small ] && wanted=2
    free=$(gcloud compute regions describe "$REGION" --project="$PROJECT" --flatten=quotas --format='csv[no-heading](quotas.metric,quotas.limit,quotas.usage)' 2>/dev/null |
      awk -F, '$1 == "CPUS" { printf "%d", $2 - $3 }' || true)
    if [ -n "$free" ] && [ "$free" -lt "$wanted" ] && ! bucket_exists "$state_bucket"; then
      problem "$REGION has $free CPUs left for $PROJECT, $wanted are needed" "console.cloud.google.com/iam-admin/quotas?project=$PROJECT: CPUs in $REGION; or REGION=another"
    fi
  fi
fi

if [ ${#problems[@]} -gt 0 ]; then
  for each in "${problems[@]}"; do printf '   missing: %s\n' "$each" >&2; done
  fail "${#problems[@]} of the conditions are not met; nothing was changed"
fi
note "all there; $(account) deploys profile $PROFILE to project $PROJECT, region $REGION"
