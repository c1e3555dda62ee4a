#!/usr/bin/env python3
"""Rewrites schema.json: of a provider's whole schema what terraform/ uses.

    terraform providers schema -json | scripts/terraform-offline/refresh.py     # in a folder that has the real provider
"""

import json
import pathlib
import re
import sys

HERE = pathlib.Path(__file__).resolve().parent
ADDRESS = "registry.terraform.io/hashicorp/google"
DROPPED = {"description", "description_kind", "deprecated"}


def without_words(value):
    """The schema without its documentation."""
    if isinstance(value, dict):
        return {
            key: without_words(item) for key, item in value.items() if key not in DROPPED or isinstance(item, dict)
        }
    return value


def used(kind):
    """Types of resources ("resource") or data sources ("data") that the configuration names."""
    found = set()
    for path in (HERE.parents[1] / "terraform").rglob("*.tf"):
        found |= set(re.findall(rf'^{kind} "([a-z0-9_]+)"', path.read_text(), re.M))
    return found


def main():
    whole = json.load(sys.stdin)["provider_schemas"][ADDRESS]
    # Addresses of Google's APIs are a third of the whole, and nothing here sets one.
    settings = whole["provider"]["block"]["attributes"]
    for name in [name for name in settings if name.endswith("_custom_endpoint")]:
        del settings[name]
    kept = {"provider": whole["provider"]}
    for kind, section in (("resource", "resource_schemas"), ("data", "data_source_schemas")):
        missing = used(kind) - whole[section].keys()
        if missing:
            sys.exit(f"the provider does not know {', '.join(sorted(missing))}")
        kept[section] = {name: whole[section][name] for name in sorted(used(kind))}
    document = {"format_version": "1.0", "provider_schemas": {ADDRESS: without_words(kept)}}
    text = json.dumps(document, separators=(",", ":"), sort_keys=True)
    # A line for each resource, so that a change can be read.
    (HERE / "schema.json").write_text(re.sub(r'("google_[a-z_]+":\{"(?:block|version)")', r"\n\1", text) + "\n")


main()
