"""Whether a Kubernetes manifest says only what Kubernetes knows: its types come from the published OpenAPI."""

import importlib
import typing
from collections.abc import Iterator
from typing import Any

_RESOURCES = {
    ("apps/v1", "Deployment"): "apps_v1",
    ("v1", "Service"): "core_v1",
    ("batch/v1", "Job"): "batch_v1",
    ("policy/v1", "PodDisruptionBudget"): "policy_v1",
    ("autoscaling/v2", "HorizontalPodAutoscaler"): "autoscaling_v2",
    ("networking.k8s.io/v1", "Ingress"): "networking_v1",
}
# Custom resources have no published type; the tests look at them by themselves.
CUSTOM = frozenset({"ScaledObject", "PodMonitor", "PrometheusRule"})
_AS_IN_YAML = {"from": "from_", "continue": "continue_", "except": "except_"}


def faults(manifest: dict[str, Any]) -> list[str]:
    """Unknown and missing fields, with their paths."""
    kind = manifest["kind"]
    if kind in CUSTOM:
        return []
    module = importlib.import_module(f"lightkube.models.{_RESOURCES[manifest['apiVersion'], kind]}")
    return list(_walk(getattr(module, kind), manifest, kind))


def _is_type(cls: Any) -> bool:
    return getattr(cls, "__module__", "").startswith("lightkube.models") and isinstance(cls, type)


def _walk(cls: Any, value: Any, path: str) -> Iterator[str]:
    if not _is_type(cls) or not isinstance(value, dict):
        return
    hints = typing.get_type_hints(cls)
    for name, item in value.items():
        known = _AS_IN_YAML.get(name, name)
        if known not in hints:
            yield f"{path}.{name} is not known"
        else:
            yield from _each(hints[known], item, f"{path}.{name}")
    for name, hint in hints.items():
        if type(None) not in typing.get_args(hint) and name.rstrip("_") not in value:
            yield f"{path}.{name} is missing"


def _each(hint: Any, item: Any, path: str) -> Iterator[str]:
    for argument in (hint, *typing.get_args(hint)):
        if typing.get_origin(argument) is list and isinstance(item, list):
            for number, one in enumerate(item):
                yield from _walk(typing.get_args(argument)[0], one, f"{path}[{number}]")
        elif _is_type(argument):
            yield from _walk(argument, item, path)
