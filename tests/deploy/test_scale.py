"""The scale profile: its cluster, its brokers, Airflow, and what destroys them."""

import re

import pytest

from conftest import MANY, SCALE, in_order

AIRFLOW_MACHINE = {"kind": "vm", "dags": None, "web": None, "instance": "beatlytica-airflow", "zone": "europe-west1-b"}


def test_scale_with_managed_kafka(world):
    world.change(outputs={**SCALE, "simulate": None})
    world.run("deploy", PROFILE="scale")
    in_order(world, [
        r"terraform .* apply (?!.*-target)", r"get-credentials beatlytica .*--dns-endpoint", r"get secret kafka", r"kubectl kustomize", r"kubectl apply",
        r"rollout status statefulset/engine", r"storage rsync .*infra/airflow/dags gs://composer/dags/beatlytica", r"storage rsync .*/dbt gs://composer/data/dbt",
        r"exec statefulset/engine -- /usr/bin/beatlytica health --ready",
    ])
    applied = world.calls(r"kubectl apply")[0]["stdin"]
    assert "BEATLYTICA__KAFKA__BROKERS=one:9192,two:9192" in applied and "newTag: abc123" in applied
    assert "BEATLYTICA__KAFKA__SSL_CERTIFICATE_LOCATION" in applied and "kind: Rules" in applied
    world.change(fail={r"get secret kafka": 1})
    assert "Managed Service for Apache Kafka" in world.run("deploy", code=1, PROFILE="scale")


@pytest.mark.parametrize("output", ["lake_url", "engine_account", "kafka", "airflow"])
def test_scale_gets_no_empty_values(world, output):
    """What Terraform does not tell is a failure."""
    world.change(outputs={**SCALE, "simulate": None}, fail={rf"output -json {output}$": 1})
    world.run("deploy", code=1, PROFILE="scale")
    assert not [entry for entry in world.calls(r"kubectl apply") if entry["stdin"].strip()] or output == "airflow"


def test_scale_with_brokers_of_ones_own(world):
    kafka = {"brokers": "one:9092", "security_protocol": "sasl_ssl", "sasl_mechanism": "SCRAM-SHA-512"}
    world.change(outputs={"secrets": ["beatlytica-kafka-username", "beatlytica-kafka-password"], "kafka": kafka, "simulate": None, "airflow": AIRFLOW_MACHINE})
    printed = world.run("deploy", code=1, PROFILE="scale")
    assert "secret beatlytica-kafka-username has no value" in printed and "--data-file=-" in printed
    world.change(secrets={"beatlytica-kafka-username": "me", "beatlytica-kafka-password": "hush-hush"})
    printed = world.run("deploy", PROFILE="scale")
    assert "hush-hush" not in printed
    assert not [entry for entry in world.calls() if "hush-hush" in entry["call"]]
    assert "hush-hush" in world.calls(r"kubectl apply")[0]["stdin"]
    # A pod with the old password runs on unless its template says something else.
    annotation = r'path: /spec/template/metadata/annotations, value: \{beatlytica/kafka-secret: "7-7"\}'
    assert re.search(annotation, world.calls(r"kubectl apply")[0]["stdin"])
    assert world.calls(r"compute ssh beatlytica-airflow .*reload-or-restart")


CLUSTER = "module.engine.google_container_cluster.this"
DESTROYED = [
    r"get-credentials beatlytica --region", r"delete statefulset engine .*--cascade=foreground",
    r"apply .*deletion_protection=false .*-target=module.engine", r"state rm", r"destroy .*deletion_protection=false",
]


@pytest.fixture
def scaled(world):
    world.change(outputs={**SCALE, "simulate": None})
    world.run("deploy", PROFILE="scale")
    world.change(state=[CLUSTER, *world.now["state"], *MANY])
    world.forget_calls()
    return world


def test_scale_is_destroyed_after_its_protection_was_lifted(scaled):
    assert "kept: gs://composer, Composer's own bucket" in scaled.run("destroy", PROFILE="scale")
    in_order(scaled, DESTROYED)


def test_scale_is_destroyed_by_a_second_run(scaled):
    scaled.change(undestroyed=[CLUSTER])
    assert "make destroy again" in scaled.run("destroy", code=1, PROFILE="scale")
    assert scaled.now["state"] == [CLUSTER] and scaled.now["applied"] is None
    scaled.forget_calls()
    scaled.run("destroy", PROFILE="scale")
    in_order(scaled, [step for step in DESTROYED if "state rm" not in step])
    assert scaled.now["state"] == []


@pytest.mark.parametrize("script", ["deploy", "status", "logs", "tunnel", "destroy"])
def test_scale_asks_its_own_cluster_whatever_the_users_context_is(scaled, script):
    scaled.run(script, PROFILE="scale", KUBECONFIG="/the/users")
    calls = scaled.calls(r"get-credentials|^kubectl --namespace")
    assert len(calls) > 1 and not [entry for entry in calls if not entry["kubeconfig"].startswith(str(scaled.temporary))], calls


@pytest.mark.parametrize("call", [r"get-credentials", r"kubectl .* get statefulset"])
def test_scale_is_destroyed_where_its_cluster_does_not_answer(scaled, call):
    scaled.change(fail={call: 1})
    assert "the cluster does not answer" in scaled.run("destroy", PROFILE="scale")
    assert scaled.now["state"] == [] and not scaled.calls(r"delete statefulset")


@pytest.mark.parametrize(
    "pod, stuck",
    [
        (["engine-0", "False", "engine-old"], True),
        (["engine-0", "", "engine-old"], True),  # on no node yet: it has no such condition
        (["engine-0", "True", "engine-old"], False),
        (["engine-0", "False", "engine-new"], False),
    ],
)
def test_scale_replaces_a_pod_that_never_became_ready(world, pod, stuck):
    """Kubernetes waits for such a pod itself; it is looked for once Kubernetes has seen what was applied."""
    world.change(outputs={**SCALE, "simulate": None}, pods=[pod], unseen=2)
    world.run("deploy", PROFILE="scale")
    assert bool(world.calls(r"delete pod")) == stuck
    if stuck:
        in_order(world, [r"kubectl apply", r"delete pod engine-0", r"rollout status"])


def test_airflows_log_is_on_its_machine(world):
    world.change(outputs={**SCALE, "simulate": None, "airflow": AIRFLOW_MACHINE})
    world.run("deploy", PROFILE="scale")
    world.forget_calls()
    world.run("logs", PROFILE="scale", SERVICE="airflow")
    assert world.calls(r"compute ssh beatlytica-airflow .*docker logs .*beatlytica-airflow-1") and not world.calls(r"kubectl")
    world.change(outputs={**SCALE, "simulate": None})
    assert "Composer has its logs" in world.run("logs", code=1, PROFILE="scale", SERVICE="airflow")
