"""Samplers of tables without a density: SDV's Gaussian copula and mostlyai-engine's TabularARGN; see `detection`."""

from __future__ import annotations

import tempfile
from typing import Any

import numpy as np
import pandas as pd
import polars
from common import Clock, Data
from detection import detection


def copula(data: Data, clock: Clock) -> dict[str, Any]:
    """Its defaults, with the kinds of columns that the reader found."""
    from sdv.metadata import Metadata
    from sdv.single_table import GaussianCopulaSynthesizer

    frame = table(data)
    kinds = {"real": "numerical", "integer": "numerical"}
    columns = {column["name"]: {"sdtype": kinds.get(column["kind"], "categorical")} for column in data.about["columns"]}
    metadata = Metadata.load_from_dict({"tables": {"rows": {"columns": columns}}})
    synthesizer = GaussianCopulaSynthesizer(metadata)
    synthesizer.fit({"rows": frame})
    return told_apart(frame, synthesizer.sample(len(frame))["rows"])


def argn(data: Data, clock: Clock) -> dict[str, Any]:
    """Its medium model, for as long as the others."""
    from mostlyai.engine import TabularARGN

    frame = table(data)
    with tempfile.TemporaryDirectory() as folder:
        model = TabularARGN(workspace_dir=folder, max_training_time=clock.minutes, random_state=0, verbose=0)
        model.fit(frame)
        return told_apart(frame, model.sample(n_samples=len(frame)))


def table(data: Data) -> pd.DataFrame:
    """The training rows with their own names and types."""
    found = {}
    for column, values in zip(data.about["columns"], data.train.T, strict=True):
        if column["kind"] == "category":
            names = np.array([*column["categories"], None], dtype=object)
            found[column["name"]] = names[np.where(np.isnan(values), len(names) - 1, values).astype(int)]
        elif column["kind"] == "integer" and not column["missing"]:
            found[column["name"]] = values.astype(int)
        else:
            found[column["name"]] = values.astype(float)
    return pd.DataFrame(found)


def told_apart(real: pd.DataFrame, sampled: pd.DataFrame) -> dict[str, Any]:
    for column in sampled.columns:
        if not pd.api.types.is_numeric_dtype(real[column]):
            sampled[column] = sampled[column].astype(object).where(sampled[column].notna(), None)
    return detection(*(polars.from_pandas(frame[list(real.columns)], nan_to_null=True) for frame in (real, sampled)))
