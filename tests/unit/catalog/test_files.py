"""A catalog is whole and consistent, or refused with file, line and field of everything wrong."""

from pathlib import Path

import pytest

from shared.catalog import files
from shared.providers import registry

ADAPTERS = registry.ABILITIES

GOOD = """\
providers:
  - name: acme
    adapter: sandbox
    base_url: /keyed
    doubt: K
models:
  - id: acme/film
    kind: video
    name: Film
    durations: [4, 8]
    resolutions: [720p, 1080p]
    aspect_ratios: [16:9, 1:1]
    sizes: [1280x720]
    parameters: [seed]
    endpoints:
      - provider: acme
        upstream_model: film-1
        prices:
          - {unit: second, usd: 0.10}
          - {unit: second, usd: 0.20, resolution: 1080p}
        limits: {concurrency: 4, requests_per_minute: 60}
"""
SECOND = """
models:
  - id: acme/film
    kind: image
    name: Again
    endpoints:
      - {provider: acme, upstream_model: f, prices: [], limits: {concurrency: 1, requests_per_minute: 1}}
"""


def write(folder: Path, **texts: str) -> Path:
    for name, text in texts.items():
        (folder / f"{name}.yaml").write_text(text)
    return folder


def faults(folder: Path) -> list[str]:
    with pytest.raises(files.CatalogError) as caught:
        files.load(folder, ADAPTERS)
    assert all(str(fault) in str(caught.value) for fault in caught.value.faults)
    return [str(fault) for fault in caught.value.faults]


def test_a_good_catalog_is_read(tmp_path: Path) -> None:
    catalog = files.load(write(tmp_path, acme=GOOD), ADAPTERS)
    film = catalog.models["acme/film"]
    assert catalog.providers["acme"].base_url == "/keyed"
    assert film.durations == (4, 8)
    assert [str(price.usd) for price in film.endpoints[0].prices] == ["0.1", "0.2"]


def test_an_aspect_ratio_is_not_a_number_in_base_sixty(tmp_path: Path) -> None:
    catalog = files.load(write(tmp_path, acme=GOOD), ADAPTERS)
    assert catalog.models["acme/film"].aspect_ratios == ("16:9", "1:1")


@pytest.mark.parametrize(
    ("old", "new", "line", "field", "words"),
    [
        ("adapter: sandbox", "adapter: sandbocks", 3, "providers[0].adapter", "there is sandbox"),
        ("doubt: K", "doubt: Q", 5, "providers[0].doubt", "should be 'K', 'L' or 'N'"),
        ("adapter: sandbox", "adapter: openrouter", 5, "providers[0].doubt", "openrouter cannot keep K; it keeps N"),
        ("adapter: sandbox", "adapter: anthropic", 16, "models[0].endpoints[0].provider", "makes no video"),
        ("adapter: sandbox", "adapter: luma", 16, "models[0].endpoints[0]", "does not pass on seed of a video request"),
        ("kind: video", "kind: film", 8, "models[0].kind", "should be 'video'"),
        ("    name: Film\n", "    nmae: Film\n", 7, "models[0].name", "is missing"),
        ("    name: Film\n", "    name: Film\n    colour: red\n", 10, "models[0].colour", "there is no such field"),
        ("durations: [4, 8]", "durations: [4, soon]", 10, "models[0].durations[1]", "valid integer"),
        ("[720p, 1080p]", "[720p, tall]", 11, "models[0].resolutions[1]", "write it as 720p"),
        ("[1280x720]", "[big]", 13, "models[0].sizes[0]", "write it as 1280x720"),
        ("[seed]", "[sede]", 14, "models[0].parameters[0]", "there is seed"),
        ("provider: acme", "provider: acne", 16, "models[0].endpoints[0].provider", "there is acme"),
        ("{unit: second, usd: 0.10}", "{usd: 0.10}", 19, "models[0].endpoints[0].prices[0].unit", "is missing"),
        ("{unit: second, usd: 0.10}", "{unit: second, usd: -1}", 19, "models[0].endpoints[0].prices[0].usd", "greater"),
        (
            "unit: second, usd: 0.10",
            "unit: image, usd: 1",
            19,
            "models[0].endpoints[0].prices[0].unit",
            "never charged",
        ),
        ("resolution: 1080p", "resolution: 8K", 20, "models[0].endpoints[0].prices[1].resolution", "no resolution"),
        ("    limits: {conc", "    # limits: {conc", 16, "models[0].endpoints[0].limits", "is missing"),
        ("concurrency: 4", "concurrency: 0", 21, "models[0].endpoints[0].limits.concurrency", "greater"),
    ],
)
def test_a_fault_names_its_place(tmp_path: Path, old: str, new: str, line: int, field: str, words: str) -> None:
    assert GOOD.count(old) == 1 or old.startswith("    ")
    found = faults(write(tmp_path, acme=GOOD.replace(old, new)))
    assert any(fault.startswith(f"acme.yaml:{line}: {field}: ") and words in fault for fault in found), found


def test_options_may_pass_on_what_the_adapter_does_not(tmp_path: Path) -> None:
    fal = GOOD.replace("adapter: sandbox", "adapter: minimax").replace("doubt: K", "doubt: N")
    assert "does not pass on seed" in faults(write(tmp_path, acme=fal))[0]
    with_seed = fal.replace(
        "upstream_model: film-1", "upstream_model: film-1\n        options: {noise: {seed: '{seed}'}}"
    )
    assert files.load(write(tmp_path, acme=with_seed), ADAPTERS).models["acme/film"].endpoints[0].options
    misspelt = with_seed.replace("'{seed}'", "'{sed}'")
    (first, *_) = faults(write(tmp_path, acme=misspelt))
    assert first.startswith("acme.yaml:18: models[0].endpoints[0].options: there is no place for a value '{sed}'")


def test_a_price_for_some_forms_only_is_refused(tmp_path: Path) -> None:
    text = GOOD.replace("          - {unit: second, usd: 0.10}\n", "")
    (only,) = faults(write(tmp_path, acme=text))
    assert only.startswith("acme.yaml:18: models[0].endpoints[0].prices: add a price by the second without resolution")


def test_a_name_used_twice_names_both_places(tmp_path: Path) -> None:
    assert faults(write(tmp_path, acme=GOOD, other=SECOND)) == [
        "other.yaml:3: models[0].id: 'acme/film' is already defined at acme.yaml:7"
    ]
    twice = GOOD.replace("models:", "  - {name: acme, adapter: sandbox}\nmodels:")
    (tmp_path / "other.yaml").unlink()
    assert "'acme' is already defined at acme.yaml:2" in faults(write(tmp_path, acme=twice))[0]


def test_one_provider_offers_a_model_once(tmp_path: Path) -> None:
    again = (
        "      - {provider: acme, upstream_model: f, prices: [], limits: {concurrency: 1, requests_per_minute: 1}}\n"
    )
    assert "already has an endpoint at 'acme'" in faults(write(tmp_path, acme=GOOD + again))[0]


def test_all_faults_come_at_once(tmp_path: Path) -> None:
    broken = GOOD.replace("kind: video", "kind: film").replace("doubt: K", "doubt: Q")
    found = faults(write(tmp_path, acme=broken, other="models: [\n", third="modles: []\n"))
    assert [fault.split(":")[0] for fault in found] == ["other.yaml", "third.yaml", "acme.yaml", "acme.yaml"]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("models: [\n", "other.yaml:2: "),
        ("- a\n", "other.yaml:1: a catalog file is a mapping"),
        ("models: 7\n", "other.yaml:1: models: must be a list"),
        ("modles: []\n", "other.yaml:1: modles: unknown section"),
        ("models:\n  - id: a\n    id: b\n", "other.yaml:3: the key 'id' is written twice"),
        ("models: !!python/object/apply:os.getcwd []\n", "other.yaml:1: "),
    ],
)
def test_a_file_of_another_shape_is_refused(tmp_path: Path, text: str, words: str) -> None:
    assert faults(write(tmp_path, acme=GOOD, other=text))[0].startswith(words)


def test_a_folder_without_files_is_refused(tmp_path: Path) -> None:
    assert "there are no *.yaml files here" in faults(tmp_path)[0]
    assert "there are no *.yaml files here" in faults(tmp_path / "missing")[0]


def test_a_fault_in_a_template_names_where_it_is_written(tmp_path: Path) -> None:
    text = GOOD.replace(
        "models:\n  - id", "templates:\n  film: &film\n    durations: [soon]\nmodels:\n  - <<: *film\n    id"
    )
    text = text.replace("    durations: [4, 8]\n", "")
    assert faults(write(tmp_path, acme=text))[0].startswith("acme.yaml:8: models[0].durations[0]: ")
