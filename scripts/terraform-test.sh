#!/usr/bin/env bash
# Formats, validates and tests terraform/ with mocked providers, in a copy, so that no lock file or plugin folder is left behind.
# Uses the real Google provider where it can be downloaded, else a schema-only one (terraform-offline/README.md).
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
cache=$here/../.cache/terraform
export CHECKPOINT_DISABLE=1 # terraform asks for its own newest version otherwise
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

need() {
  command -v "$1" >/dev/null && return
  echo "$1 is missing: $2" >&2
  exit 1
}
need terraform "1.9 or newer, from developer.hashicorp.com/terraform/install"

version=$(sed -nE 's/.*hashicorp\/google ([0-9.]+) .*/\1/p' "$here/terraform-offline/README.md" | head -1)
# Whether the registry can be reached, where the real provider is.
provider() {
  if curl -fsS --max-time 10 -o /dev/null https://registry.terraform.io/.well-known/terraform.json 2>/dev/null; then echo real; else echo offline; fi
}

case $(provider) in
real)
  export TF_PLUGIN_CACHE_DIR=$cache/plugins
  mkdir -p "$TF_PLUGIN_CACHE_DIR"
  echo "with hashicorp/google as released" ;;
offline)
  need go "it builds the schema-only provider; from go.dev/dl"
  mirror=$cache/mirror/registry.terraform.io/hashicorp/google/$version/$(go env GOOS)_$(go env GOARCH)
  (cd "$here/terraform-offline" && GOFLAGS=-mod=readonly go build -o "$mirror/terraform-provider-google_v$version" .)
  printf 'provider_installation {\n  filesystem_mirror {\n    path    = "%s"\n    include = ["registry.terraform.io/hashicorp/google"]\n  }\n}\n' \
    "$(cd "$cache/mirror" && pwd)" > "$cache/offline.tfrc"
  export TF_CLI_CONFIG_FILE=$cache/offline.tfrc
  echo "with the schema of hashicorp/google $version alone: the real provider cannot be downloaded here" ;;
esac

terraform fmt -check -recursive -diff "$here/../terraform"
cp -r "$here/../terraform" "$work/terraform"
check() { # one configuration; silent but for its verdict, as two run at a time
  cd "$1"
  if { terraform init -no-color -backend=false -input=false && terraform validate -no-color && terraform test -no-color; } >check.log 2>&1; then
    echo "$(grep -E '^Success! [0-9]' check.log)  ${1##*/terraform/}"
  else
    echo "FAILED  ${1##*/terraform/}"
    cat check.log
    exit 1
  fi
}
export -f check
printf '%s\0' "$work"/terraform/modules/* "$work"/terraform/environments/* | xargs -0 -P 2 -I {} bash -c 'check {}'

# The lake cannot be destroyed: a test run that has made it must fail to take it away again, and say why.
cd "$work/terraform/modules/lake"
if terraform test -no-color -test-directory=protection >protection.log 2>&1; then
  echo "the lake's bucket could be destroyed" >&2
  exit 1
fi
grep -q 'Instance cannot be destroyed' protection.log || { cat protection.log >&2; exit 1; }
echo "the lake's bucket cannot be destroyed: as it must be"
