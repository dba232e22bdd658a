"""The Helm chart renders to manifests that Kubernetes knows, and runs what `genqueue up` runs."""

import re
from typing import Any

import pytest

from cli.stack import processes
from shared import settings
from tests.deploy import charts, manifests

CHOICES: dict[str, charts.Values] = {
    "as it comes": {},
    "scaled by keda, behind an ingress": {
        "worker": {"scaling": "keda"},
        "ingress": {"enabled": True, "className": "nginx", "tlsSecret": "tls", "annotations": {"a": "b"}},
        "pullSecrets": [{"name": "registry"}],
        "nodeSelector": {"disk": "ssd"},
    },
    "scaled by an hpa, without the sandbox": {"worker": {"scaling": "hpa"}, "sandbox": {"enabled": False}},
}


@pytest.fixture(scope="module", params=list(CHOICES.values()), ids=list(CHOICES))
def rendered(request: pytest.FixtureRequest) -> list[dict[str, Any]]:
    return charts.render(request.param)


def containers(rendered: list[dict[str, Any]]) -> dict[str, dict[str, Any]]:
    specs = [item["spec"]["template"]["spec"] for item in rendered if item["kind"] in ("Deployment", "Job")]
    return {container["name"]: container for spec in specs for container in spec["containers"]}


def pods(rendered: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [item["spec"]["template"] for item in rendered if item["kind"] in ("Deployment", "Job")]


def of_kind(rendered: list[dict[str, Any]], kind: str) -> list[dict[str, Any]]:
    return [item for item in rendered if item["kind"] == kind]


def test_kubernetes_knows_every_field(rendered: list[dict[str, Any]]) -> None:
    assert [fault for manifest in rendered for fault in manifests.faults(manifest)] == []


def test_names_are_unique_and_selectors_find_their_pods(rendered: list[dict[str, Any]]) -> None:
    names = [(item["kind"], item["metadata"]["name"]) for item in rendered]
    assert len(names) == len(set(names))
    labels = [pod["metadata"]["labels"] for pod in pods(rendered)]
    for item in rendered:
        wanted = item["spec"].get("selector", {})
        wanted = wanted.get("matchLabels", wanted)
        assert any(wanted.items() <= label.items() for label in labels), item["metadata"]["name"]


def test_each_container_runs_the_command_of_its_process(rendered: list[dict[str, Any]]) -> None:
    known = {process.name: process for process in processes.ALL}
    for name, container in containers(rendered).items():
        assert tuple(container["command"][:3]) == known[name].argv[:3]


def test_nothing_runs_as_root_or_writes_to_its_image(rendered: list[dict[str, Any]]) -> None:
    for pod in pods(rendered):
        assert pod["spec"]["securityContext"]["runAsNonRoot"] is True
        assert pod["spec"]["automountServiceAccountToken"] is False
    for container in containers(rendered).values():
        assert container["securityContext"]["readOnlyRootFilesystem"] is True
        assert container["securityContext"]["allowPrivilegeEscalation"] is False


def test_every_variable_is_a_setting_and_no_secret_is_in_a_manifest(rendered: list[dict[str, Any]]) -> None:
    known = {f"GENQUEUE_{name.upper()}": field for name, field in settings.Settings.model_fields.items()}
    for container in containers(rendered).values():
        for variable in container["env"]:
            secret = "Secret" in str(known[variable["name"]].annotation)
            assert secret is ("valueFrom" in variable)
        assert "GENQUEUE_SECRET_KEY" in {variable["name"] for variable in container["env"]}
        assert container["envFrom"] == [{"secretRef": {"name": "genqueue"}}]


def test_what_scales_does_not_fix_its_replicas(rendered: list[dict[str, Any]]) -> None:
    scaled = {
        item["spec"]["scaleTargetRef"]["name"]
        for kind in ("HorizontalPodAutoscaler", "ScaledObject")
        for item in of_kind(rendered, kind)
    }
    for deployment in of_kind(rendered, "Deployment"):
        assert ("replicas" in deployment["spec"]) is (deployment["metadata"]["name"] not in scaled)


def test_everything_that_serves_survives_the_loss_of_a_node(rendered: list[dict[str, Any]]) -> None:
    budgets = {item["metadata"]["name"] for item in of_kind(rendered, "PodDisruptionBudget")}
    assert budgets == {"gq-api", "gq-relay", "gq-worker"}


def test_what_the_values_do_not_have_is_an_error() -> None:
    with pytest.raises(charts.TemplateError):
        charts.render({"worker": {}, "image": ""})


def test_unknown_and_missing_fields_are_seen() -> None:
    wrong = {"apiVersion": "v1", "kind": "Service", "spec": {"portz": [], "ports": [{"name": "x"}]}}
    assert manifests.faults(wrong) == ["Service.spec.portz is not known", "Service.spec.ports[0].port is missing"]


def test_the_signal_for_scaling_is_the_one_that_is_exposed() -> None:
    queries = re.findall(r"genqueue_\w+", str(of_kind(charts.render({"worker": {"scaling": "keda"}}), "ScaledObject")))
    assert set(queries) == {"genqueue_oldest_queued_job_age_seconds"}
