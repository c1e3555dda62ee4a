#!/usr/bin/env bash
# Goes back to what was ready last before what is applied, or to TAG: to its images, which are still in the registry, and to all else as of
# its commit.
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
checkout=$(TAG='' image_tag)
if [ "$target" = "$checkout" ]; then
  TAG=$target exec "$root/scripts/deploy/deploy.sh"
fi

# More than images makes a version: Terraform, manifests, rules, DAGs and dbt come from its commit.
commit=$(git -C "$root" rev-parse --verify --quiet "$target^{commit}") ||
  fail "$target is no commit that this repository has; nothing was changed" "git fetch, if it is another's" \
    "make deploy TAG=$target takes its images alone, and all else from what is checked out"
copy=$(mktemp -d)
trap 'git -C "$root" worktree remove --force "$copy"' EXIT
git -C "$root" worktree add --quiet --detach "$copy" "$commit"
note "all but the images comes from commit $target, not from what is checked out"
settings=terraform/environments/$PROFILE
for file in "$root/$settings"/{terraform.tfvars,terraform.tfvars.json,*.auto.tfvars,*.auto.tfvars.json}; do
  [ ! -e "$file" ] || cp "$file" "$copy/$settings/"
done
TAG=$target "$copy/scripts/deploy/deploy.sh"
