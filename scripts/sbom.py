#!/usr/bin/env python3
"""Writes the software bill of materials (CycloneDX 1.5) of the program to standard output: every crate that is linked in or
builds it on this platform, with version, licence, checksum and where it comes from. Needs cargo, and the crates that it
fetched for the tests; asks no network."""

import json
import pathlib
import subprocess
import tomllib

ROOT = pathlib.Path(__file__).resolve().parents[1]


def bill(metadata, lock):
    """The bill, from `cargo metadata` and Cargo.lock."""
    checksums = {(package["name"], package["version"]): package.get("checksum") for package in lock["package"]}
    names = {package["id"]: f"pkg:cargo/{package['name']}@{package['version']}" for package in metadata["packages"]}
    root = metadata["resolve"]["root"]

    def component(package):
        made = {
            "type": "library", "bom-ref": names[package["id"]], "purl": names[package["id"]],
            "name": package["name"], "version": package["version"],
        }
        if package["license"]:
            made["licenses"] = [{"expression": package["license"].replace("/", " OR ")}]
        checksum = checksums.get((package["name"], package["version"]))
        if checksum:
            made["hashes"] = [{"alg": "SHA-256", "content": checksum}]
        if package["repository"]:
            made["externalReferences"] = [{"type": "vcs", "url": package["repository"]}]
        return made

    def shipped(node):
        """What the node needs to be built or to run; not what only its tests need."""
        return [dep["pkg"] for dep in node["deps"] if any(kind["kind"] != "dev" for kind in dep["dep_kinds"])]

    nodes = {node["id"]: shipped(node) for node in metadata["resolve"]["nodes"]}
    reached, waiting = set(), [root]
    while waiting:
        package = waiting.pop()
        if package not in reached:
            reached.add(package)
            waiting.extend(nodes[package])
    packages = {package["id"]: package for package in metadata["packages"]}
    return {
        "bomFormat": "CycloneDX", "specVersion": "1.5", "version": 1,
        "metadata": {"component": {**component(packages[root]), "type": "application"}},
        "components": [component(packages[each]) for each in sorted(reached - {root}, key=names.get)],
        "dependencies": [
            {"ref": names[each], "dependsOn": sorted({names[dep] for dep in nodes[each]})}
            for each in sorted(reached, key=names.get)
        ],
    }


def output_of(*command):
    """What a command prints; it runs in the checkout."""
    return subprocess.run(command, cwd=ROOT, check=True, stdout=subprocess.PIPE, text=True).stdout


def main():
    host = next(line.removeprefix("host: ") for line in output_of("rustc", "-vV").splitlines() if line.startswith("host: "))
    # Crates of other platforms are neither shipped nor, on a new machine, at hand.
    metadata = json.loads(
        output_of("cargo", "metadata", "--format-version", "1", "--locked", "--offline", "--filter-platform", host)
    )
    print(json.dumps(bill(metadata, tomllib.loads((ROOT / "Cargo.lock").read_text())), indent=1))


if __name__ == "__main__":
    main()
