"""The results that are shipped, as `chainrule results` lists them, and the recipes that they came from."""

import json
from pathlib import Path

import pytest
from command_line import refused

from chainrule import runs
from chainrule.cli import main
from chainrule.cli.listings import read_results
from chainrule.cli.settings import settings_from
from chainrule.shipped import shipped_folder

pytestmark = pytest.mark.quick


@pytest.fixture(autouse=True)
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A directory without results and recipes."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_lists_the_projects_own(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["results"]) == 0
    header, *lines = capsys.readouterr().out.splitlines()
    assert header.split() == ["recipe", "nats", "+-", "per", "published", "minutes", "dataset"]
    rows = {line.split()[0]: line.split()[1:] for line in lines}
    results = {row["recipe"]: row for row in read_results(shipped_folder("results"))}
    assert list(rows) == list(results)
    assert {row["recipe"] for row in results.values() if row["nats_stderr"] is None} >= {"shakespeare/lstm"}
    stream, documents, sound, digits = (
        rows[name] for name in ("shakespeare/lstm", "names/lstm", "fsdd/wavenet", "mnist/made")
    )
    assert stream[:3] == [f"{results['shakespeare/lstm']['nats_per_character']:.4f}", "character", "1.4697"]
    assert documents[:2] == [f"{results['names/lstm']['nats_per_character']:.4f}", "character"]
    assert sound[:2] == [f"{results['fsdd/wavenet']['nats_per_sample']:.4f}", "sample"]
    assert digits[:3] == [
        f"{results['mnist/made']['nats']:.2f}",
        f"{results['mnist/made']['nats_stderr']:.2f}",
        "example",
    ]


def test_json_has_figures_per_unit(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["results", "--json"]) == 0
    rows = {row["recipe"]: row for row in json.loads(capsys.readouterr().out)}
    assert rows["shakespeare/lstm"]["nats_stderr"] is None
    assert rows["shakespeare/lstm"]["bits_per_character"] == pytest.approx(2.08, abs=0.1)
    assert "bits_per_character" not in rows["mnist/made"]


def test_own_results_take_the_place_of_shipped_ones(elsewhere: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (shipped,) = [row for row in read_results(shipped_folder("results")) if row["recipe"] == "mnist/made"]
    (elsewhere / "results").mkdir()
    for recipe in ("mnist/made", "mine/made"):
        own = json.dumps(shipped | {"recipe": recipe, "nats": 1.25})
        (elsewhere / "results" / f"{recipe.replace('/', '-')}.json").write_text(own)
    assert main(["results", "--json"]) == 0
    rows = json.loads(capsys.readouterr().out)
    assert [row["nats"] for row in rows if row["recipe"] in ("mnist/made", "mine/made")] == [1.25, 1.25]
    assert len(rows) == len(read_results(shipped_folder("results"))) + 1
    assert main(["results", "--folder", "results", "--json"]) == 0
    assert len(json.loads(capsys.readouterr().out)) == 2


def test_an_unknown_recipe_is_refused_with_those_there_are(capsys: pytest.CaptureFixture[str]) -> None:
    message = refused(capsys, "reproduce", "mnist/mad")
    assert "did you mean mnist/made?" in message
    assert "expected a file or one of cifar10-jpeg/pixel-cnn" in message


def test_every_recipe_can_be_read() -> None:
    recipes = sorted(shipped_folder("recipes").glob("*/*.yaml"))
    assert len(recipes) > 50
    for path in recipes:
        assert settings_from({}, runs.read(path))["data"]


def test_the_recipe_of_65536_levels_is_what_the_benchmark_measured() -> None:
    report = json.loads((shipped_folder("results") / "benchmark-sound-levels.json").read_text())
    settings = settings_from({}, runs.read(shipped_folder("recipes") / "fsdd" / "wavenet-65536.yaml"))
    (measured,) = [row for row in report["rows"] if row["levels"] == settings["levels"]]
    own = {"data": report["dataset"], "levels": measured["levels"], "max_steps": report["steps"], "published": None}
    assert settings == report["settings"] | own
    assert measured["bits_per_sample"] > 0
