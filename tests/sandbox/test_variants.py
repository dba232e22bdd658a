"""The table of models and its description agree."""

import pathlib
import subprocess
import sys

from shared.providers.sandbox import variants

README = pathlib.Path(variants.__file__).with_name("README.md")


def test_every_suffix_is_described() -> None:
    text = README.read_text()
    missing = {row.suffix for row in variants.VARIANTS if row.suffix and f"`-{row.suffix}`" not in text}
    assert not missing


def test_no_name_is_given_twice() -> None:
    rows = [(row.suffix, kind) for row in variants.VARIANTS for kind in row.kinds]
    assert len(rows) == len(set(rows))


def test_videos_are_asynchronous_and_waiting_needs_polls() -> None:
    models = variants.MODELS.values()
    assert all(model.asynchronous for model in models if model.kind is variants.Kind.VIDEO)
    assert all(model.asynchronous for model in models if model.variant.course is variants.Course.HANG)


def test_the_server_knows_nothing_of_genqueue() -> None:
    script = (
        "import sys, shared.providers.sandbox.__main__\n"
        "print(*(name for name in sys.modules if name.partition('.')[0] in {'api', 'cli', 'shared', 'workers'}))"
    )
    loaded = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True).stdout.split()
    allowed = ("shared.providers.sandbox.", "shared.providers.sandbox\n", "shared.providers\n", "shared\n")
    assert [name for name in loaded if not f"{name}\n".startswith(allowed)] == []
    assert "shared.providers.sandbox.adapter" not in loaded
