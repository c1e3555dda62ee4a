#!/usr/bin/env bash
# Switches on the APIs that Terraform itself needs, and makes the bucket of its state.
# shellcheck source-path=SCRIPTDIR source=lib.sh
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
require_settings deploy
say "Terraform's state"
gcloud services enable serviceusage.googleapis.com cloudresourcemanager.googleapis.com storage.googleapis.com compute.googleapis.com \
  --project="$PROJECT" --quiet || fail "the first APIs cannot be switched on" "you need roles/serviceusage.serviceUsageAdmin on $PROJECT"
if bucket_exists "$state_bucket"; then
  note "gs://$state_bucket is there"
else
  gcloud storage buckets create "gs://$state_bucket" --project="$PROJECT" --location="$REGION" \
    --uniform-bucket-level-access --public-access-prevention --soft-delete-duration=30d --quiet ||
    fail "gs://$state_bucket cannot be made" "its name may be taken by somebody else: choose another NAME; or you lack roles/storage.admin on $PROJECT"
fi
# Every version of the state is kept: it is the only record of what was made. Asked for again in case that the last run ended in between.
gcloud storage buckets update "gs://$state_bucket" --versioning --quiet >/dev/null || fail "gs://$state_bucket cannot keep versions"
