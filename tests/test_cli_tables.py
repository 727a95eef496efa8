"""Commands on a table with numbers, categories and gaps."""

from __future__ import annotations

import json
import re
from pathlib import Path

import numpy as np
import polars
import pytest
import torch
from command_line import FAST, refused
from test_data_frames import ROWS, mixed

import chainrule
from chainrule.cli import main
from chainrule.data.schema import TableSchema


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("people")
    mixed().write_csv(folder / "people.csv")
    arguments = ["--model", "NADE", "--model.hidden_size", "8", "--model.order_agnostic", "true"]
    assert main(["fit", *arguments, "--data", str(folder / "people.csv"), *FAST, "--out", str(folder / "run")]) == 0
    return folder / "run"


def test_a_run_holds_rows_of_the_kind_it_was_fitted_on(run: Path, capsys: pytest.CaptureFixture[str]) -> None:
    samples = polars.read_csv(run / "samples.csv")
    assert samples.columns == mixed().columns
    assert set(samples["colour"]) <= {"red", "green", "blue"}
    assert main(["describe", str(run)]) == 0
    assert "height    real      mean" in capsys.readouterr().out
    assert main(["evaluate", str(run)]) == 0


def test_sample_writes_a_table(run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["sample", str(run), "-n", "20", "--out", str(tmp_path / "rows.parquet")]) == 0
    rows = polars.read_parquet(tmp_path / "rows.parquet")
    assert rows.schema == mixed().schema
    assert rows["children"].is_between(2, 5).mean() > 0.6  # a short fit of few rows is not sure of their range
    capsys.readouterr()
    assert ".csv, .parquet" in refused(capsys, "sample", str(run), "--out", str(tmp_path / "rows.png"))


def test_score_is_log_prob_of_every_row(run: Path, tmp_path: Path) -> None:
    frame = mixed().with_columns(
        colour=polars.when(polars.int_range(ROWS) == 3).then(polars.lit("violet")).otherwise("colour")
    )
    frame.write_csv(tmp_path / "new.csv")
    assert main(["score", str(run), str(tmp_path / "new.csv"), "--out", str(tmp_path / "scores.csv")]) == 0
    scores = polars.read_csv(tmp_path / "scores.csv")["log_prob"].to_numpy()
    data = chainrule.data.load(run.parent / "people.csv")
    assert isinstance(data.format, TableSchema)
    model = chainrule.load(run)
    expected = model.log_prob(torch.from_numpy(data.format.encode(mixed(), "people"))).detach().numpy()
    assert np.isfinite(scores[3])
    assert scores[3] < expected[3] - 1
    np.testing.assert_allclose(np.delete(scores, 3), np.delete(expected, 3), rtol=1e-4, atol=1e-4)


def test_cells_that_are_unknown_are_summed_out(run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    frame = mixed()[1:4]
    frame.with_columns(colour=None).write_csv(tmp_path / "gaps.csv")
    assert main(["score", str(run), str(tmp_path / "gaps.csv"), "--out", str(tmp_path / "scores.csv")]) == 0
    assert "3 rows have empty cells where training had none" in capsys.readouterr().err
    got = polars.read_csv(tmp_path / "scores.csv")["log_prob"].to_numpy()
    schema, model = chainrule.data.load(run.parent / "people.csv").format, chainrule.load(run)
    assert isinstance(schema, TableSchema)
    last = model.reordered([0, 2, 3, 4, 5, 1])  # in the order in which the unknown column comes last
    joints = []
    for colour in ("red", "green", "blue", "another"):
        x = schema.encode(frame.with_columns(colour=polars.lit(colour)), "gaps")
        joints.append(last.log_prob(torch.from_numpy(x)).detach())
    np.testing.assert_allclose(got, torch.stack(joints).logsumexp(0).numpy(), rtol=1e-4)


def test_a_row_that_decides_the_mean_is_named(run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    people = polars.read_csv(run.parent / "people.csv", infer_schema=False).head(40)
    people.write_csv(tmp_path / "usual.csv")
    extreme = polars.when(polars.int_range(40) == 16).then(polars.lit("1e300")).otherwise("income").alias("income")
    people.with_columns(extreme).write_csv(tmp_path / "odd.csv")
    assert main(["evaluate", str(run), str(tmp_path / "usual.csv")]) == 0
    assert "warning" not in capsys.readouterr().out
    assert main(["evaluate", str(run), str(tmp_path / "odd.csv")]) == 0
    last = capsys.readouterr().out.splitlines()[-1]
    assert re.match(
        r"warning: number 17 has .* nats, more than all others together, most of it by column 'income'", last
    )
    assert main(["evaluate", str(run), str(tmp_path / "odd.csv"), "--json"]) == 0
    outlier = json.loads(capsys.readouterr().out)["outlier"]
    usual = people.filter(polars.int_range(40) != 16)
    usual.write_csv(tmp_path / "usual.csv")
    assert main(["evaluate", str(run), str(tmp_path / "usual.csv"), "--json"]) == 0
    assert outlier["index"] == 16
    assert outlier["others_nats"] == pytest.approx(json.loads(capsys.readouterr().out)["nats"], rel=1e-5)
    polars.DataFrame({"smokes": ["maybe"]}).write_csv(tmp_path / "odd.csv")
    line = refused(capsys, "complete", str(run), str(tmp_path / "odd.csv"), "--out", str(tmp_path / "x.csv"))
    assert "got 'maybe': correct it, or fit with a --schema of kind: category" in line


def test_complete_fills_the_gaps_and_keeps_the_rest(run: Path, tmp_path: Path) -> None:
    known = mixed()[1:7]
    gaps = known.with_columns(colour=None, income=polars.when(polars.int_range(6) < 3).then(None).otherwise("income"))
    gaps.drop("colour").write_csv(tmp_path / "gaps.csv")  # a column that is not there at all is unknown too
    arguments = ["complete", str(run), str(tmp_path / "gaps.csv")]
    assert main([*arguments, "--draws", "3", "--out", str(tmp_path / "filled.csv")]) == 0
    filled = polars.read_csv(tmp_path / "filled.csv")
    assert set(filled.columns) == {"row", "draw", *known.columns}
    assert filled["row"].to_list() == [row for row in range(1, 7) for _ in range(3)]
    assert filled.null_count().sum_horizontal().item() == 0
    assert filled.filter(draw=1)["children"].to_list() == known["children"].to_list()
    assert filled.filter(draw=1)["income"][3:].to_list() == known["income"][3:].to_list()
    there = known["height"].is_not_null()
    assert filled.filter(draw=2)["height"].filter(there).to_list() == known["height"].filter(there).to_list()
    assert main([*arguments, "--mean", "--out", str(tmp_path / "mean.csv")]) == 0
    guess = polars.read_csv(tmp_path / "mean.csv")
    assert set(guess.columns) == set(known.columns)
    assert guess.select("children", "smokes").equals(known.select("children", "smokes"))
    gaps.with_columns(note=polars.lit("kept"), height=123456.789).write_csv(tmp_path / "gaps.csv")
    assert main([*arguments, "--out", str(tmp_path / "one.csv")]) == 0
    one = polars.read_csv(tmp_path / "one.csv")
    assert one["height"].to_list() == [123456.789] * 6  # to the last digit
    assert one["note"].to_list() == ["kept"] * 6


def test_the_schema_is_written_edited_and_used(run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    table, written = str(run.parent / "people.csv"), tmp_path / "s.yaml"
    assert main(["schema", table, "--out", str(written)]) == 0
    assert "smokes    boolean" in capsys.readouterr().out
    odd = {"same": [1] * 9, "day": ["2026-01-01"] * 9, "x": range(9), "y": [*"12345678", "oops"]}
    polars.DataFrame(odd).write_csv(tmp_path / "odd.csv")
    assert main(["schema", str(tmp_path / "odd.csv")]) == 0
    out, err = capsys.readouterr()
    assert (out.count("constant"), out.count("ignore")) == (2, 1)
    assert "note: same: '1' in all rows: no variable, written again in samples" in err
    assert "fit would refuse this: odd.csv: column 'y' expects numbers, as most of its cells are, got 'oops'" in err
    written.write_text(written.read_text().replace("kind: category", "kind: ignore"))
    arguments = ["--model", "FVSBN", "--data", table, "--schema", str(written), "--conditional", "Gaussian"]
    assert main(["fit", *arguments, *FAST, "--out", str(tmp_path / "run")]) == 0
    assert chainrule.load(tmp_path / "run").event_shape == (5,)


def test_what_is_refused(run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    table, out = str(run.parent / "people.csv"), str(tmp_path / "x.csv")
    assert "expects a FILE of rows" in refused(capsys, "complete", str(run), "--out", out)
    assert "no --observe" in refused(capsys, "complete", str(run), table, "--observe", "0.5", "--out", out)
    assert "expects --out" in refused(capsys, "score", str(run), table)
    (tmp_path / "other.csv").write_text("a,b\n1,2\n")
    assert "got none of them" in refused(capsys, "complete", str(run), str(tmp_path / "other.csv"), "--out", out)
    assert "whose values can be listed" in refused(capsys, "conditionals", str(run), "--out", str(tmp_path / "c.png"))
    fit = ["fit", "--data", table, *FAST, "--out", str(tmp_path / "new")]
    assert "RNN expects one conditional of all variables" in refused(capsys, *fit, "--model", "RNN")
    assert "a family of real numbers for a table, got Bernoulli" in refused(
        capsys, *fit, "--model", "FVSBN", "--conditional", "Bernoulli"
    )
    (tmp_path / "odd.yaml").write_text("columns:\n  a: [real\n  b: real\n")
    odd = refused(capsys, *fit, "--model", "FVSBN", "--schema", str(tmp_path / "odd.yaml"))
    assert "odd.yaml expects YAML, got in line 3: " in odd
    assert "unicode" not in odd
    (tmp_path / "binary.csv").write_bytes(b"\x89PNG\r\n\x1a\n")
    assert "binary.csv: expected a table as text in UTF-8" in refused(
        capsys, "evaluate", str(run), str(tmp_path / "binary.csv")
    )
    assert "a YAML file or 'infer', found no" in refused(capsys, *fit, "--model", "FVSBN", "--schema", "none.yaml")
