#!/usr/bin/env bash
# Goes back to what was ready last before what is applied, or to TAG. Its images are still in the registry, so nothing is built.
# shellcheck source-path=SCRIPTDIR source=lib.sh
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
require_settings rollback
terraform_init
current=$(applied)
history=$(deployments)
target=${TAG:-$(grep -vxF "${current:-none}" <<<"$history" | tail -1 || true)}
[ -n "$target" ] || fail "nothing ran before ${current:-this}" "make rollback TAG=… names another; gcloud artifacts docker tags list $registry/engine shows all"
gcloud artifacts docker images describe "$registry/engine:$target" --project="$PROJECT" >/dev/null 2>&1 ||
  fail "the registry has no $registry/engine:$target" "gcloud artifacts docker tags list $registry/engine shows what it has"
say "From ${current:-nothing} back to $target"
TAG=$target exec "$root/scripts/deploy/deploy.sh"
