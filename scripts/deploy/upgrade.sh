#!/usr/bin/env bash
# Puts what is checked out in place of what runs. The engine drains and its successor goes on at the same offsets: nothing is lost.
# shellcheck source-path=SCRIPTDIR source=lib.sh
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
require_settings upgrade
bucket_exists "$state_bucket" || fail "nothing of $NAME is deployed in $PROJECT yet" "make deploy PROJECT=$PROJECT"
terraform_init
now=$(running)
say "Runs now: $now"
exec "$root/scripts/deploy/deploy.sh"
