# Shared by the scripts in this folder: settings, words, and the tools' calls. Settings come from the environment, as `make` passes
# them: PROJECT, PROFILE (small), REGION, NAME, TAG, PLAN.
# shellcheck shell=bash
if ((BASH_VERSINFO[0] * 100 + BASH_VERSINFO[1] < 404)); then
  printf '\nerror: bash %s is too old: 4.4 or newer is needed\n       on a Mac: brew install bash coreutils gnu-tar (docs/setup/gcp.md)\n' "$BASH_VERSION" >&2
  exit 1
fi
set -euo pipefail
shopt -s inherit_errexit

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
PROFILE=${PROFILE:-small}
PROJECT=${PROJECT:-}
REGION=${REGION:-europe-west1}
NAME=${NAME:-beatlytica}
environment=$root/terraform/environments/$PROFILE
state_bucket=$PROJECT-$NAME-state
lake_bucket=${LAKE_BUCKET:-$PROJECT-$NAME-lake}
# shellcheck disable=SC2034 # for the scripts that read this file
registry=$REGION-docker.pkg.dev/$PROJECT/$NAME
# Seconds between two looks at something that takes time.
poll=${DEPLOY_POLL:-10}

say() { printf '\n== %s\n' "$*"; }
note() { printf '   %s\n' "$*"; }
fail() {
  printf '\nerror: %s\n' "$1" >&2
  shift
  for line in "$@"; do printf '       %s\n' "$line" >&2; done
  exit 1
}

require_settings() {
  [ -n "$PROJECT" ] || fail "PROJECT is not set" "make $1 PROJECT=my-project-id" "gcloud projects list   shows your projects"
  [[ $NAME =~ ^[a-z][a-z0-9-]{1,21}[a-z0-9]$ ]] ||
    fail "NAME=$NAME cannot be the name of a system" "it has 3 to 23 small letters, digits and hyphens, and begins with a letter; beatlytica without it"
  [ -d "$environment" ] || fail "PROFILE=$PROFILE is unknown" "PROFILE is small (one machine) or scale (managed Kafka, Kubernetes)"
}

# The commit, and a digest of what is not committed: one tag is one content.
image_tag() {
  local tag status changes
  [ -z "${TAG:-}" ] || { echo "$TAG"; return; }
  tag=$(git -C "$root" rev-parse --short=12 HEAD)
  status=$(git -C "$root" status --porcelain)
  if [ -n "$status" ]; then
    changes=$({
      git -C "$root" diff --binary HEAD
      git -C "$root" ls-files -z --others --exclude-standard | tar --create --file=- --directory="$root" --null --files-from=- --sort=name --mtime=@0
    } | sha256sum)
    tag+=-${changes:0:8}
  fi
  echo "$tag"
}

account() { gcloud auth list --filter=status:ACTIVE --format='value(account)' 2>/dev/null | head -1; }

# The one sign-in of gcloud serves Terraform too; its token goes through the environment, which no other user sees.
terraform_here() {
  GOOGLE_OAUTH_ACCESS_TOKEN=$(gcloud auth print-access-token) || fail "gcloud gives no token" "gcloud auth login"
  export GOOGLE_OAUTH_ACCESS_TOKEN
  terraform -chdir="$environment" "$@"
}

terraform_init() {
  terraform_here init -input=false -reconfigure -backend-config="bucket=$state_bucket" >/dev/null ||
    fail "Terraform cannot open its state in gs://$state_bucket" "you need roles/storage.objectAdmin on that bucket, or be among the operators to read it; make deploy makes it"
}

# Flags that every plan, apply and destroy has. What a terraform.tfvars beside the environment says wins over TF_VAR_*.
terraform_variables() { # terraform_variables TAG
  export TF_VAR_operators=${TF_VAR_operators:-[\"user:$(account)\"]}
  variables=(-var "project=$PROJECT" -var "region=$REGION" -var "name=$NAME" -var "image_tag=$1" -var "lake_bucket=$lake_bucket")
}

# What Terraform has made. To be searched once it is whole: `grep -q` ends early, which Terraform takes for a failure.
resources() { terraform_here state list 2>/dev/null || true; }

# With another region everything would be destroyed and made anew there, the images of all versions with it.
same_region() {
  local state there
  state=$(terraform_here state pull) || fail "Terraform cannot read its state in gs://$state_bucket" "you need roles/storage.objectAdmin on that bucket"
  there=$(grep -oiE '"(location|region)": *"[a-z]+-[a-z]+[0-9]+"' <<<"$state" | cut -d '"' -f 4 | tr '[:upper:]' '[:lower:]' | grep -vxF "$REGION" | sort -u | tr '\n' ' ' || true)
  [ -z "$there" ] || fail "$NAME is deployed in ${there% }, and REGION is $REGION; nothing was changed" "REGION=${there% } with every command for it" \
    "to move it: make destroy, then make deploy with the other REGION (the lake stays where it is: it needs another LAKE_BUCKET there)"
}

# A lake that outlived a former deployment is taken over.
adopt_lake() {
  if bucket_exists "$lake_bucket" && ! grep -q 'google_storage_bucket.lake$' <<<"$(resources)"; then
    note "the lake gs://$lake_bucket is there already: it is taken over"
    variables+=(-var adopt_lake=true)
  fi
}

# An output that is one word. -raw would give a warning, and succeed, where there are no outputs at all.
output() { terraform_here output -json "$1" | tr -d '"\n'; }
bucket_exists() { gcloud storage buckets describe "gs://$1" --project="$PROJECT" >/dev/null 2>&1; }

# field OUTPUT NAME: one text of an output that is an object.
field() { terraform_here output -json "$1" | tr -d '\n' | sed -nE "s/.*\"$2\": *\"([^\"]*)\".*/\1/p"; }

# on_machine COMMAND [airflow_machine]: on the machine of the small profile, or on Airflow's of the scale one, over Identity-Aware Proxy.
on_machine() {
  local instance zone
  if [ "${2:-}" = airflow_machine ]; then
    instance=$(field airflow instance) zone=$(field airflow zone)
  else
    instance=$(output instance) zone=$(output zone)
  fi
  gcloud compute ssh "$instance" --zone="$zone" --project="$PROJECT" --tunnel-through-iap --quiet --command="$1"
}

in_cluster() { kubectl --namespace=beatlytica "$@"; }

# By its name, which is the system's: Terraform's output of it is gone once a destroy has begun. Into a file of this run's own, for in the
# user's the current context may become another cluster at any time.
cluster_access() {
  if [ -z "${kubeconfig:-}" ]; then
    kubeconfig=$(mktemp -d)
    trap 'rm -rf "$kubeconfig"' EXIT
    export KUBECONFIG=$kubeconfig/config
  fi
  gcloud container clusters get-credentials "$NAME" --region="$REGION" --project="$PROJECT" --dns-endpoint >/dev/null 2>&1
}
cluster_credentials() {
  cluster_access ||
    fail "no access to the cluster" "you need roles/container.developer and gke-gcloud-auth-plugin (gcloud components install gke-gcloud-auth-plugin)"
}

# until_true SECONDS WHAT COMMAND...: repeats the command until it succeeds.
until_true() {
  local deadline=$((SECONDS + $1)) what=$2
  shift 2
  until "$@" >/dev/null 2>&1; do
    if [ $SECONDS -ge "$deadline" ]; then return 1; fi
    note "waiting for $what"
    sleep "$poll"
  done
}

# object URL: an object's content; nothing where there is none. Any other failure is one.
object() {
  local said
  { said=$(gcloud storage cat "$1" 2>&1 >&3); } 3>&1 || [[ $said == *"matched no objects"* ]] ||
    fail "$1 cannot be read: $said" "you need roles/storage.objectAdmin on its bucket"
}

# Which tags became ready, newest last, beside Terraform's state.
history_object=gs://$state_bucket/history/$PROFILE
deployments() { object "$history_object"; }
remember_deployment() {
  local former
  former=$(deployments)
  [ "$(tail -1 <<<"$former")" = "$1" ] || printf '%s\n' "$former" "$1" | sed '/^$/d' | gcloud storage cp - "$history_object" --quiet >/dev/null 2>&1 ||
    fail "$history_object cannot be written; $1 runs, and make rollback does not know of it" "you need roles/storage.objectAdmin on its bucket; make deploy again"
}

# The tag that is applied, which may never have become ready; the last that did where Terraform's state does not say.
applied() { output image_tag 2>/dev/null || deployments | tail -1; }

running() { # the same in words
  local tag last
  tag=$(applied) last=$(deployments | tail -1)
  if [ "$tag" = "$last" ]; then echo "${tag:-nothing}"; else echo "$tag, whose deployment did not finish; before it ${last:-nothing}"; fi
}
