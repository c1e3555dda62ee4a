#!/usr/bin/env python3
"""Stands in for gcloud, docker, terraform, kubectl: records what is asked, answers as far as the world in WORLD goes, and fails where it says.

The world is a JSON file: what exists, and `fail`: pattern => how often a call that matches it fails.
"""

import fcntl
import json
import os
import pathlib
import re
import sys

FOLDER = pathlib.Path(os.environ["STANDIN_WORLD"])


def main():
    program = pathlib.Path(sys.argv[0]).name
    arguments = sys.argv[1:]
    call = " ".join([program, *arguments])
    takes_input = "--data-file=-" in arguments or (program == "kubectl" and "-f -" in call) or call.startswith("gcloud storage cp -")
    given = sys.stdin.read() if takes_input else ""
    with (FOLDER / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        world = json.loads((FOLDER / "world.json").read_text())
        settings = pathlib.Path(next((part[7:] for part in arguments if part.startswith("-chdir=")), "."), "terraform.tfvars")
        with (FOLDER / "calls.jsonl").open("a") as log:
            entry = {"call": call, "stdin": given, "token": bool(os.environ.get("GOOGLE_OAUTH_ACCESS_TOKEN")), "kubeconfig": os.environ.get("KUBECONFIG")}
            entry["settings"] = settings.read_text() if settings.exists() else None
            log.write(json.dumps(entry) + "\n")
        for pattern, times in world["fail"].items():
            if times and re.search(pattern, call):
                world["fail"][pattern] = times - 1
                (FOLDER / "world.json").write_text(json.dumps(world))
                sys.exit(f"{program}: a planned failure")
        code = ANSWERS[program](world, arguments, given)
        (FOLDER / "world.json").write_text(json.dumps(world))
    sys.exit(code)


def gcloud(world, arguments, given):
    call = " ".join(arguments)
    bucket = next((part[5:].split("/")[0] for part in arguments if part.startswith("gs://")), "")
    if call.startswith("auth list"):
        print(world["account"])
    elif call.startswith("auth print-access-token"):
        print("the-token")
    elif call.startswith("projects describe"):
        if arguments[2] != world["project"]:
            return 1
        print("123456789")
    elif call.startswith("billing projects describe"):
        print(world["billing"])
    elif call.startswith("compute regions describe"):
        print(f"SSDS,500,0\nCPUS,{world['cpus']},0")
    elif call.startswith("storage buckets describe"):
        return 0 if bucket in world["buckets"] else 1
    elif call.startswith("storage buckets create"):
        world["buckets"].append(bucket)
    elif call.startswith("storage rm --recursive"):
        world["buckets"].remove(bucket)
    elif call.startswith("storage rm"):
        world["history"] = []
    elif call.startswith("storage objects list"):
        world["looks"] += 1
        if world["looks"] > world["empty_looks"]:
            print("lake/v1/listen_events/event_date=2026-01-01/event_hour=00/e001-p00000-0-9.parquet")
    elif call.startswith("storage cat"):
        print("WARNING: to be heeded by nobody", file=sys.stderr)
        text = world["other_state"] if arguments[2].endswith(".tfstate") else "\n".join(world["history"])
        if not text:
            print(f"ERROR: (gcloud.storage.cat) The following URLs matched no objects or files:\n{arguments[2]}", file=sys.stderr)
            return 1
        print(text)
    elif call.startswith("storage cp -"):
        world["history"] = given.split()
    elif call.startswith("artifacts repositories describe"):
        return 0 if "module.registry" in world["state"] else 1
    elif call.startswith("artifacts docker images describe"):
        return 0 if arguments[4] in world["images"] else 1
    elif call.startswith("secrets versions list"):
        print("1" if arguments[3] in world["secrets"] else "", end="")
    elif call.startswith("secrets versions add"):
        world["secrets"][arguments[3]] = given
    elif call.startswith("secrets versions describe latest"):
        print("projects/1/secrets/some/versions/" + world["secret_version"])
    elif call.startswith("secrets versions access"):
        if arguments[3] != world["secret_version"]:
            return 1
        name = next(part.split("=")[1] for part in arguments if part.startswith("--secret="))
        print(world["secrets"][name], end="")
    elif call.startswith("compute ssh") and "readyz" in call:
        world["probes"] += 1
        return 0 if world["probes"] > world["unready_probes"] else 22
    return 0


def docker(world, arguments, given):
    if arguments[0] == "push":
        world["images"].append(arguments[-1])
    return 0


OUTPUTS = {
    "instance": "beatlytica", "zone": "europe-west1-b", "simulate": "true",
    "lake_url": "gs://some-project-beatlytica-lake", "engine_account": "engine@some-project.iam.gserviceaccount.com",
    "next_steps": "make status, and so on",
}


def terraform(world, arguments, given):
    arguments = [part for part in arguments if not part.startswith("-chdir=")]
    if arguments[0] == "apply" and "-auto-approve" not in arguments:
        arguments = ["apply", *pathlib.Path(arguments[-1]).read_text().split()]  # what was planned
    variables = dict(part.split("=", 1) for part in arguments if "=" in part and not part.startswith("-"))
    # Terraform knows outputs from the first whole apply on.
    outputs = {**OUTPUTS, "image_tag": world["applied"], **world["outputs"]} if world["applied"] else {}
    targets = [part.split("=")[1] for part in arguments if part.startswith("-target=")]
    if arguments[0] == "version":
        print(json.dumps({"terraform_version": world["terraform"]}, indent=2))
    elif arguments[0] == "plan":
        for file in (part[5:] for part in arguments if part.startswith("-out=")):
            pathlib.Path(file).write_text(" ".join(arguments[1:]))
    elif arguments[0] == "show":
        print("\n".join(["Terraform will perform the following actions:", "", *(f"  # {each}\n  resource" for each in world["plan"])]))
    elif arguments[0] == "apply":
        world["region"] = variables["region"]
        world["state"] = sorted({*world["state"], *(targets or ["module.registry", "module.services", "module.host"])})
        world["applied"] = world["applied"] if targets else variables["image_tag"]
        if not targets and "module.lake.google_storage_bucket.lake" not in world["state"]:
            lake = variables["lake_bucket"]
            if lake in world["buckets"] and variables.get("adopt_lake") != "true":
                return 1
            world["buckets"] = sorted({*world["buckets"], lake})
            world["state"].append("module.lake.google_storage_bucket.lake")
    elif arguments[:2] == ["state", "pull"]:
        if world["state"]:
            print(json.dumps({"resources": [{"mode": "managed", "instances": [{"attributes": {"location": world["region"]}}]}]}, indent=2))
    elif arguments[:2] == ["state", "list"]:
        print("\n".join(world["state"]))
    elif arguments[:2] == ["state", "rm"]:
        world["state"].remove(arguments[2])
    elif arguments[0] == "destroy":
        if "module.lake.google_storage_bucket.lake" in world["state"]:
            return 1
        # Outputs go first, even where the destruction stops half-way.
        world["state"], world["undestroyed"], world["applied"] = world["undestroyed"], [], None
        return 1 if world["state"] else 0
    elif arguments[:2] == ["output", "-json"]:
        if outputs.get(arguments[2]) is None:
            return 1
        print(json.dumps(outputs[arguments[2]], separators=(",", ":")))  # one output is printed without spaces
    elif arguments[:2] == ["output", "-raw"]:
        if not outputs:
            print("Warning: No outputs found")  # on standard output, and no failure
            return 0
        if outputs.get(arguments[2]) is None:
            return 1
        print(outputs[arguments[2]], end="")
    return 0


def kubectl(world, arguments, given):
    call = " ".join(arguments)
    if "kustomize" in arguments:
        overlay = pathlib.Path(arguments[-1])
        print("\n".join(path.read_text() for path in sorted(overlay.iterdir())))
    elif "get statefulset engine" in call:
        # Until it has seen what was applied, it names the revision before.
        seen = world["unseen"] == 0
        world["unseen"] -= not seen
        print("2", *(["2", "engine-new"] if seen else ["1", "engine-old"]), end="")
    elif "get pod" in call:
        other = re.search(r"controller-revision-hash!=(\S+)", call)[1]
        print("".join(f"{name} {ready}\n" for name, ready, revision in world["pods"] if revision != other), end="")
    return 0


ANSWERS = {"gcloud": gcloud, "docker": docker, "terraform": terraform, "kubectl": kubectl, "gke-gcloud-auth-plugin": lambda *_: 0}
main()
