"""The dashboard and the alerts ask for figures that exist, and every alert leads to a page that says what to do."""

import json
import re
from datetime import timedelta
from typing import Any

import pytest
import yaml
from prometheus_client import core

from shared import metrics
from shared.db import metrics as metric_rows
from shared.db import upkeep as upkeep_rows
from shared.services import metrics as services
from tests.conventions import tree

FOLDER = tree.ROOT / "deploy" / "monitoring"
NAME = re.compile(r"genqueue_\w+")
LABELS = re.compile(r"(?:by|without) ?\(([^)]*)\)")
MATCHERS = re.compile(r"(genqueue_\w+)\{([^}]*)\}")


NOTHING = metric_rows.Waiting(0, timedelta(0))


class NoDatabase:
    """The gauges are asked for their names only."""


@pytest.fixture(scope="module")
def exposed() -> dict[str, set[str]]:
    """Every series there is, with its labels."""
    gauges = services.Gauges(NoDatabase(), NoDatabase())  # type: ignore[arg-type] # see above
    gauges._parts = {"storage": True}  # noqa: SLF001 - as if somebody had looked
    gauges._backlog = upkeep_rows.Backlog(0, 0, 0, 0, 0)  # noqa: SLF001 - nor that
    gauges._last = metric_rows.Snapshot((), {}, {}, 0, 0, NOTHING)  # noqa: SLF001 - a snapshot without reading one
    families: list[core.Metric] = list(gauges.collect())
    found = {sample.name: set(sample.labels) for family in families for sample in family.samples}
    for collector in vars(metrics).values():
        names = getattr(collector, "_labelnames", None)
        if names is not None:
            for family in collector.describe():
                found |= {name: set(names) for name in _series(family)}
    return found


def _series(family: core.Metric) -> list[str]:
    endings = {"counter": ["_total"], "histogram": ["_bucket", "_sum", "_count"]}.get(family.type, [""])
    return [family.name + ending for ending in endings]


def shown() -> list[str]:
    board: dict[str, Any] = json.loads((FOLDER / "grafana.json").read_text())
    return [target["expr"] for panel in board["panels"] for target in panel["targets"]]


def expressions() -> list[str]:
    rules = yaml.safe_load((FOLDER / "alerts.yaml").read_text())
    return shown() + [rule["expr"] for group in rules["groups"] for rule in group["rules"]]


@pytest.mark.parametrize("expression", expressions())
def test_every_figure_exists_and_has_the_labels_it_is_asked_by(expression: str, exposed: dict[str, set[str]]) -> None:
    names = NAME.findall(expression)
    assert names
    assert [name for name in names if name not in exposed] == []
    known = set().union(*(exposed[name] for name in names)) | {"le"}
    asked = {label.strip() for group in LABELS.findall(expression) for label in group.split(",") if label.strip()}
    asked |= {
        re.split(r"[=!]", part)[0].strip() for _, group in MATCHERS.findall(expression) for part in group.split(",")
    }
    assert asked <= known, expression


def test_the_brackets_of_every_expression_are_closed() -> None:
    for expression in expressions():
        assert all(expression.count(left) == expression.count(right) for left, right in ("()", "{}", "[]"))


def test_what_an_alert_watches_is_also_shown() -> None:
    watched = {name for expression in expressions() for name in NAME.findall(expression)}
    # The database is one of the parts.
    assert {name for name in watched if name not in " ".join(shown())} == {"genqueue_database_up"}


def test_what_is_counted_is_shown_or_watched(exposed: dict[str, set[str]]) -> None:
    asked = " ".join(expressions())
    bases = {re.sub(r"_(bucket|sum|count|total)$", "", name) for name in exposed}
    unseen = {name for name in bases if name not in asked} - {"genqueue_build_info", "genqueue_jobs_held"}
    assert unseen == set()


def test_every_alert_has_a_place_in_the_runbook() -> None:
    headings = re.findall(r"^##+ (.+)$", (tree.ROOT / "docs/runbook.md").read_text(), re.MULTILINE)
    anchors = {re.sub(r"[^a-z0-9 -]", "", heading.lower()).replace(" ", "-") for heading in headings}
    rules = yaml.safe_load((FOLDER / "alerts.yaml").read_text())
    for rule in (rule for group in rules["groups"] for rule in group["rules"]):
        page, _, anchor = rule["annotations"]["runbook"].partition("#")
        assert page == "docs/runbook.md"
        assert anchor in anchors, rule["alert"]


def test_panels_do_not_lie_on_each_other() -> None:
    board = json.loads((FOLDER / "grafana.json").read_text())
    cells = [
        (x, y)
        for place in (panel["gridPos"] for panel in board["panels"])
        for x in range(place["x"], place["x"] + place["w"])
        for y in range(place["y"], place["y"] + place["h"])
    ]
    assert len(cells) == len(set(cells))
    assert max(x for x, _ in cells) < 24


def test_compose_hands_over_the_files_that_are_here() -> None:
    compose = yaml.safe_load((tree.ROOT / "docker-compose.yml").read_text())
    mounted = [
        volume.split(":")[0]
        for service in compose["services"].values()
        for volume in service.get("volumes", [])
        if volume.startswith("./")
    ]
    assert mounted
    assert [path for path in mounted if not (tree.ROOT / path).is_file()] == []
