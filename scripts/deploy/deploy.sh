#!/usr/bin/env bash
# From nothing to the whole system running; can be run again at any time. PLAN=1 shows what would be done.
# shellcheck source-path=SCRIPTDIR source=lib.sh
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
require_settings deploy
here=$root/scripts/deploy
tag=$(image_tag)
"$here/check.sh"
if [ "${PLAN:-}" = 1 ]; then
  exec "$here/plan.sh" "$tag"
fi
"$here/state.sh"
"$here/apply.sh" "$tag"
"$here/rollout.sh" "$tag"
"$here/wait.sh"
remember_deployment "$tag"
say "Running: $tag"
terraform_here output -raw next_steps
