"""`make deploy` and its kin against stand-ins for the cloud: the order, re-runs, failures half-way, and what is said."""

import os
import re
import shutil
import subprocess

import pytest

from conftest import MANY, ROOT, SCALE, in_order

STEPS = [
    r"gcloud projects describe", r"gcloud billing", r"gcloud services enable", r"gcloud storage buckets create gs://some-project-beatlytica-state",
    r"gcloud storage buckets update .* --versioning", r"terraform .* init .*bucket=some-project-beatlytica-state", r"terraform .* apply .*-target=module.registry",
    r"docker build .*engine:abc123", r"docker push .*engine:abc123", r"docker push .*stack:abc123", r"terraform .* apply (?!.*-target)",
    r"gcloud secrets versions add", r"gcloud compute ssh .*reload-or-restart beatlytica", r"gcloud compute ssh .*readyz",
    r"gcloud storage objects list gs://some-project-beatlytica-lake/lake/v1", r"gcloud storage cp - gs://some-project-beatlytica-state/history/small",
]


def test_from_nothing_to_running(world):
    world.change(unready_probes=3, empty_looks=2)
    printed = world.run("deploy")
    in_order(world, STEPS)
    assert "make status, and so on" in printed and "Running: abc123" in printed
    assert world.now["history"] == ["abc123"]
    assert "waiting for the engine to be ready" in printed and "waiting for the first Parquet object" in printed


def test_no_secret_on_a_command_line_nor_printed(world):
    printed = world.run("deploy")
    secrets = world.now["secrets"]
    assert set(secrets) == {"beatlytica-grafana-password", "beatlytica-airflow-password"}
    assert all(len(value) >= 24 for value in secrets.values()) and len(set(secrets.values())) == 2
    for value in [*secrets.values(), "the-token"]:
        assert value not in printed
        assert not [entry for entry in world.calls() if value in entry["call"]]
    assert all(entry["token"] for entry in world.calls(r"^terraform .* (apply|init)"))


def test_again_changes_nothing_that_is_there(world):
    world.run("deploy")
    secrets = world.now["secrets"]
    world.change(state=[*world.now["state"], *MANY])
    world.forget_calls()
    world.run("deploy")
    for not_again in (r"buckets create", r"docker (build|push)", r"-target=", r"secrets versions add", r"adopt_lake"):
        assert not world.calls(not_again), not_again
    assert world.calls(r"terraform .* apply") and world.now["secrets"] == secrets
    assert world.now["history"] == ["abc123"]


def test_plan_changes_nothing(world):
    printed = world.run("deploy", PLAN="1")
    assert "gs://some-project-beatlytica-state would be made" in printed
    assert world.calls(r"terraform .* init .*-reconfigure"), "the checkout may have deployed to another project"
    assert world.calls(r"terraform .* plan .*image_tag=abc123")
    changing = r"apply|create|update|enable|push|build|versions add|cp |compute ssh|destroy|state rm"
    assert not world.calls(changing), world.calls(changing)
    world.run("deploy")
    world.forget_calls()
    world.run("deploy", PLAN="1")
    assert world.calls(r"terraform .* init .*backend-config") and not world.calls(changing)


@pytest.mark.parametrize("script", ["deploy", "destroy"])
@pytest.mark.parametrize("profile", ["small", "scale"])
def test_another_region_than_the_one_it_is_in_is_refused(world, script, profile):
    """Terraform would make everything anew there."""
    world.change(outputs={**SCALE, **world.now["outputs"]})
    world.run("deploy", REGION="europe-north1", PROFILE=profile)
    world.forget_calls()
    for given in ({}, {"PLAN": "1"}):
        printed = world.run(script, code=1, PROFILE=profile, **given)
        assert "is deployed in europe-north1, and REGION is europe-west1; nothing was changed" in printed, printed
    assert not world.calls(r"terraform .* (apply|destroy|plan|state rm)|docker (build|push)|ssh|storage rm|kubectl --")
    world.run(script, REGION="europe-north1", PROFILE=profile)


@pytest.mark.parametrize(
    "step, words",
    [
        (r"gcloud services enable", "roles/serviceusage.serviceUsageAdmin"),
        (r"gcloud storage buckets create", "choose another NAME"),
        (r"gcloud storage buckets update", "cannot keep versions"),
        (r"terraform .* init", "cannot open its state"),
        (r"terraform .* apply .*-target", "could not make the registry"),
        (r"docker build .*airflow", "cannot be built"),
        (r"docker push .*stack", "roles/artifactregistry.writer"),
        (r"terraform .* plan", "Terraform cannot plan"),
        (r"terraform .* show", "Terraform cannot read its own plan"),
        (r"terraform .* apply (?!.*-target)", "make deploy again goes on where it stopped"),
        (r"gcloud secrets versions add", "roles/secretmanager.admin"),
        (r"gcloud secrets versions list", "the versions of secret beatlytica-grafana-password cannot be listed"),
        (r"gcloud storage cat", "history/small cannot be read: "),
        (r"gcloud storage cp", "make rollback does not know of it"),
        (r"reload-or-restart", "make logs shows why"),
    ],
)
def test_a_failure_half_way_is_said_and_the_next_run_goes_on(world, step, words):
    world.change(fail={step: 1})
    printed = world.run("deploy", code=1)
    assert words in printed, printed
    assert world.now["history"] == []
    built = len(world.calls(r"docker push"))
    world.forget_calls()
    world.run("deploy")
    assert world.now["history"] == ["abc123"]
    assert built + len(world.calls(r"docker push")) - (1 if "push" in step else 0) == 4, "an image was pushed twice"


@pytest.mark.parametrize(
    "values, words",
    [
        ({"account": ""}, "gcloud auth login"),
        ({"project": "another"}, "gcloud projects create some-project"),
        ({"billing": "False"}, "gcloud billing projects link some-project"),
        ({"cpus": 1}, "CPUs left"),
        ({"terraform": "1.8.5"}, "terraform 1.8.5 is too old"),
        ({"fail": {"docker info": 1}}, "docker does not answer"),
    ],
)
def test_what_is_missing_is_said_before_anything_is_done(world, values, words):
    world.change(**values)
    printed = world.run("deploy", code=1)
    assert words in printed and "nothing was changed" in printed
    assert not world.calls(r"create|enable|apply|push")


def test_all_that_is_missing_is_said_at_once(world):
    world.remove("terraform")
    world.remove("docker")
    world.change(billing="False")
    printed = world.run("deploy", code=1)
    for words in ("terraform is not installed", "docker is not installed", "billing is off", "3 of the conditions"):
        assert words in printed


def test_settings_are_asked_for(world):
    assert "make deploy PROJECT=my-project-id" in world.run("deploy", code=1, PROJECT="")
    assert "PROFILE=huge is unknown" in world.run("deploy", code=1, PROFILE="huge")


def test_one_tag_is_one_content(tmp_path):
    scripts = tmp_path / "scripts" / "deploy"
    scripts.mkdir(parents=True)
    shutil.copy(ROOT / "scripts" / "deploy" / "lib.sh", scripts)
    git = ["git", "-C", str(tmp_path), "-c", "user.name=me", "-c", "user.email=me@example.com"]
    for command in (["init"], ["add", "."], ["commit", "-m", "first"]):
        subprocess.run([*git, *command], check=True, capture_output=True)

    def tag():
        command = ["bash", "-c", "source scripts/deploy/lib.sh; image_tag"]
        return subprocess.run(command, cwd=tmp_path, check=True, capture_output=True, text=True, env={"PATH": os.environ["PATH"]}).stdout.strip()

    committed = tag()
    assert re.fullmatch(r"[0-9a-f]{12}", committed)
    tags = [committed]
    for text in ("one", "two"):
        (tmp_path / "new").write_text(text)
        tags += [tag()]
        os.utime(tmp_path / "new", (0, 0))
        assert tag() == tags[-1], "the time is no content"
    (tmp_path / "lock").symlink_to("nowhere")  # as an editor leaves behind
    tags += [tag()]
    with (scripts / "lib.sh").open("a") as file:
        file.write("# changed\n")
    tags += [tag()]
    assert len(set(tags)) == len(tags) and all(re.fullmatch(committed + "-[0-9a-f]{8}", each) for each in tags[1:])
    subprocess.run([*git, "config", "status.showUntrackedFiles", "as it likes"], check=True)
    with pytest.raises(subprocess.CalledProcessError):
        tag()  # what git does not tell is not taken as clean


@pytest.mark.parametrize("name", ["LAPTOP-1", "ab", "a" * 24, "-ab", "ab-", "a_b"])
def test_a_bad_name_is_refused_before_anything_is_done(world, name):
    assert f"NAME={name} cannot be the name of a system" in world.run("deploy", code=1, NAME=name)
    assert not world.calls()


def test_a_script_takes_the_name_from_the_environment(world):
    assert "nothing of my-2nd is deployed" in world.run("upgrade", code=1, NAME="my-2nd")


def test_make_takes_the_name_from_its_command_line(world):
    """WSL's shells export NAME, the computer's."""

    def asked_for(*arguments):
        world.forget_calls()
        subprocess.run(
            ["make", "-C", str(ROOT), "upgrade", "PROJECT=some-project", *arguments], capture_output=True,
            env={"PATH": f"{world.bin}:/usr/bin:/bin", "STANDIN_WORLD": str(world.folder), "NAME": "laptop"},
        )
        return [entry["call"].split()[4] for entry in world.calls(r"buckets describe")]

    assert asked_for() == ["gs://some-project-beatlytica-state"]
    assert asked_for("NAME=second") == ["gs://some-project-second-state"]


def test_an_engine_that_never_is_ready(world):
    world.change(unready_probes=10**6)
    printed = world.run("deploy", code=1, DEPLOY_READY_DEADLINE="1")
    assert "the engine is not ready" in printed and "docs/setup/debugging.md" in printed
    assert world.now["history"] == []


def test_a_lake_that_stays_empty(world):
    world.change(empty_looks=10**6)
    assert "nothing reached gs://some-project-beatlytica-lake" in world.run("deploy", code=1, DEPLOY_DATA_DEADLINE="1")
    world.change(outputs={**world.now["outputs"], "simulate": "false"})
    assert "docs/setup/kafka.md" in world.run("deploy", DEPLOY_DATA_DEADLINE="1")


@pytest.mark.parametrize(
    "planned, refused",
    [
        ("module.host.google_compute_disk.data must be replaced", True),
        ("module.host.google_compute_disk.data will be destroyed", True),
        ("module.registry.google_artifact_registry_repository.images must be replaced", True),
        ('module.broker[0].google_managed_kafka_topic.this["listen_events"] must be replaced', True),
        ("module.broker[0].google_managed_kafka_cluster.this will be destroyed", True),
        ("module.host.google_compute_disk.data is tainted, so must be replaced", False),
        ("module.host.google_compute_disk.data will be updated in-place", False),
        ("module.airflow_host[0].google_compute_disk.data will be destroyed", False),
        ("module.host.google_compute_instance.this must be replaced", False),
    ],
)
def test_what_holds_the_only_copy_is_not_destroyed_by_a_setting(world, planned, refused):
    world.change(plan=["module.network.some must be replaced", planned])
    printed = world.run("apply", "abc123", code=int(refused))
    assert bool(world.calls(r"terraform .* apply (?!.*-target)")) != refused
    assert (f"       {planned}\n" in printed) == refused, printed


def test_destroy_keeps_the_lake_and_deploy_takes_it_over_again(world):
    world.run("deploy")
    world.forget_calls()
    printed = world.run("destroy")
    in_order(world, [r"systemctl stop beatlytica; .*start stop", r"terraform .* state rm module.lake", r"terraform .* destroy"])
    assert "kept: gs://some-project-beatlytica-lake" in printed
    assert "some-project-beatlytica-lake" in world.now["buckets"] and world.now["state"] == []
    assert not world.calls(r"storage rm --recursive") and not world.calls(r"destroy .*adopt_lake")
    world.forget_calls()
    assert "taken over" in world.run("deploy")
    assert world.calls(r"plan .*adopt_lake=true")


def test_the_lake_goes_only_when_its_name_is_typed(world):
    world.run("deploy")
    world.forget_calls()
    assert "nothing was changed" in world.run("destroy", code=1, stdin="yes\n", LAKE="delete")
    assert not world.calls(r"state rm|destroy|storage rm|ssh")
    world.run("destroy", stdin="some-project-beatlytica-lake\n", LAKE="delete")
    assert world.now["buckets"] == ["some-project-beatlytica-state"]
    in_order(world, [r"terraform .* destroy", r"gcloud storage rm --recursive gs://some-project-beatlytica-lake"])


#: What Terraform leaves of a state, and one with something in it.
EMPTY_STATE, STATE = ('{\n  "version": 4,\n  "outputs": {},\n  "resources": [%s],\n  "check_results": null\n}\n' % each for each in ("", '{\n      "mode": "managed"\n    }'))


def test_destroy_of_the_profile_that_is_not_deployed_touches_nothing(world):
    """Without PROFILE it is small's; the lake has one name in both."""
    world.change(buckets=["some-project-beatlytica-state", "some-project-beatlytica-lake"], other_state=STATE)
    for lake in ("keep", "delete"):
        printed = world.run("destroy", code=1, stdin="some-project-beatlytica-lake\n", LAKE=lake)
        assert "make destroy PROJECT=some-project PROFILE=scale" in printed
    assert world.calls(r"storage cat gs://some-project-beatlytica-state/scale/default.tfstate")
    # A deployment that stopped half-way in the wrong profile: it may go, the lake may not.
    world.change(state=["module.network"])
    assert "uses the lake" in world.run("destroy", code=1, stdin="some-project-beatlytica-lake\n", LAKE="delete")
    assert not world.calls(r"storage rm|terraform .* destroy|ssh")
    world.change(fail={r"storage cat .*tfstate": 1})
    assert "cannot be read" in world.run("destroy", code=1)
    world.run("destroy", LAKE=".demo/lake")  # as make gives it where it is given none
    # Nothing is left of either: the lake can still go.
    world.change(other_state=EMPTY_STATE)
    world.run("destroy", stdin="some-project-beatlytica-lake\n", LAKE="delete")
    assert world.now["buckets"] == ["some-project-beatlytica-state"]


def test_destroy_that_stops_half_way_goes_on(world):
    world.run("deploy")
    world.change(fail={r"terraform .* destroy": 1})
    assert "make destroy again" in world.run("destroy", code=1)
    assert "some-project-beatlytica-lake" in world.now["buckets"]
    world.run("destroy")
    assert world.now["state"] == []


def test_nothing_to_destroy(world):
    assert "nothing of beatlytica is deployed" in world.run("destroy", code=1)


def test_upgrade_and_rollback(world, versions):
    assert "make deploy PROJECT=some-project" in world.run("upgrade", code=1)
    world.run("deploy", TAG="one")
    world.run("upgrade", TAG="two")
    assert world.now["history"] == ["one", "two"]
    world.forget_calls()
    printed = world.run("rollback", TAG="")
    assert "From two back to one" in printed
    assert world.calls(r"plan .*image_tag=one") and not world.calls(r"docker build")
    assert world.now["history"][-1] == "one"
    assert "the registry has no" in world.run("rollback", code=1, TAG="never")


def test_a_history_that_cannot_be_read_is_not_begun_anew(world):
    world.run("deploy", TAG="one")
    world.change(fail={r"gcloud storage cat": 1})
    world.run("deploy", code=1, TAG="two")
    assert world.now["history"] == ["one"]
    world.run("deploy", TAG="two")
    assert world.now["history"] == ["one", "two"]
    world.change(fail={r"gcloud storage cat": 1})
    assert "history/small cannot be read" in world.run("rollback", code=1, TAG="")


def test_a_secret_whose_versions_cannot_be_listed_keeps_its_value(world):
    world.run("deploy")
    secrets = world.now["secrets"]
    world.change(fail={r"gcloud secrets versions list": 1})
    world.run("deploy", code=1)
    assert world.now["secrets"] == secrets


def test_a_history_ends_with_its_images(world):
    world.run("deploy", TAG="one")
    world.run("destroy")
    assert world.now["history"] == [] and world.calls(r"storage rm gs://some-project-beatlytica-state/history/small")
    world.run("deploy", TAG="two")
    assert world.now["history"] == ["two"]


def test_rollback_takes_everything_back(world, versions):
    """Manifests, rules, DAGs and Terraform too, with the settings of this checkout, which is left as it is."""
    world.change(outputs={**SCALE, "simulate": None})
    for tag in ("one", "two"):
        world.run("deploy", PROFILE="scale", TAG=tag)
    settings = world.root / "terraform" / "environments" / "scale" / "terraform.tfvars"
    settings.write_text("mine = true\n")
    (world.root / "new").touch()
    world.forget_calls()
    world.run("rollback", PROFILE="scale", TAG="")
    [applied] = world.calls(r"kubectl apply")
    assert "rules of one" in applied["stdin"] and "rules of two" not in applied["stdin"]
    assert [entry["settings"] for entry in world.calls(r"terraform .* apply")] == ["mine = true\n"]
    assert versions("worktree", "list").count("\n") == 0 and versions("describe", "--tags") == "three" and (world.root / "new").exists()


def test_rollback_to_what_is_checked_out_needs_no_other_checkout(world, versions):
    head = versions("rev-parse", "--short=12", "HEAD")
    for tag in (head, "two"):
        world.run("deploy", TAG=tag)
    world.forget_calls()
    world.run("rollback", TAG="")
    assert world.calls(rf"-chdir={world.root}/terraform/environments/small plan .*image_tag={head}")


def test_rollback_to_what_is_no_commit_is_refused(world, versions):
    """As with changes that were never committed: their images are there, and nothing else."""
    tag = versions("rev-parse", "--short=12", "HEAD") + "-0123abcd"
    for each in (tag, "two"):
        world.run("deploy", TAG=each)
    world.forget_calls()
    printed = world.run("rollback", code=1, TAG="")
    assert "is no commit that this repository has; nothing was changed" in printed and f"make deploy TAG={tag}" in printed
    assert not world.calls(r"apply")


def test_rollback_of_the_first(world):
    world.run("deploy", TAG="one")
    assert "nothing ran before one" in world.run("rollback", code=1, TAG="")


@pytest.mark.parametrize("before", [["one", "two"], ["two"]])
def test_rollback_after_an_upgrade_that_never_became_ready(world, versions, before):
    for tag in before:
        world.run("deploy", TAG=tag)
    world.change(unready_probes=10**6)
    assert "Runs now: two\n" in world.run("upgrade", code=1, TAG="three", DEPLOY_READY_DEADLINE="1")
    world.change(unready_probes=0)
    assert "three, whose deployment did not finish; before it two" in world.run("status")
    world.forget_calls()
    assert "From three back to two" in world.run("rollback", TAG="")
    assert world.calls(r"plan .*image_tag=two") and world.now["history"] == before


def test_tunnel_logs_and_status(world):
    world.run("deploy")
    world.forget_calls()
    world.run("tunnel")
    tunnel = world.calls(r"compute ssh")[0]["call"]
    assert "--tunnel-through-iap" in tunnel and "-L 127.0.0.1:8080:127.0.0.1:8080" in tunnel and "-L 127.0.0.1:19092" in tunnel
    world.run("logs", SERVICE="airflow")
    assert world.calls(r"docker logs .*beatlytica-airflow-1")
    assert "is no name" in world.run("logs", code=1, SERVICE="a; rm -rf /")
    assert "abc123" in world.run("status")
