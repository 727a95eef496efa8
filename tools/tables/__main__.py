"""Writes the tables of README.md and of pages of docs/ from ``results/``: a program measured every number there.

A table stands between ``<!-- table: NAME -->`` and ``<!-- end -->``. Run it as ``python tools/tables``. With
``--check`` it writes nothing and ends with status 1 where a page is out of date.
"""

import argparse
import json
import re
import sys
from pathlib import Path
from typing import Any

import anomalies
import audio
import binary
import columns
import comparison
import damaged
import defaults
import endings
import folders
import headline
import images
import large
import outliers
import sampled
import scale
import series
import speed
import tasks
import texts

ROOT = Path(__file__).resolve().parents[2]
DOCS = ROOT / "docs"
PAGES = (
    ROOT / "README.md",
    *(DOCS / name for name in ("results.md", "comparison.md", "gallery.md", "guides/scale.md")),
)

TABLES = {
    "headline": headline.figures,
    "defaults": defaults.defaults,
    "goals": defaults.goals,
    "likelihoods": binary.likelihoods,
    "binary": binary.binary_tables,
    "counting": binary.counting,
    "reconstruction": binary.reconstruction,
    "completion": tasks.completion,
    "classes": tasks.classes,
    "probes": tasks.probes,
    "speed": speed.speed,
    "rivalspeed": speed.rivals,
    "machine": speed.machine,
    "texts": texts.texts,
    "writing": texts.writing,
    "textspeed": texts.textspeed,
    "bits": images.bits,
    "imagemean": images.mean,
    "imagespeed": images.speed,
    "audio": audio.bits,
    "soundlevels": audio.levels,
    "listening": audio.listening,
    "audiospeed": audio.speed,
    "series": series.series,
    "wine": columns.wine,
    "foldswon": columns.folds_won,
    "winerecipes": columns.recipes,
    "removed": columns.removed,
    "toldapart": columns.told_apart,
    "sampledlarge": sampled.large,
    "sampledsmall": sampled.small,
    "sampledgoals": sampled.goals,
    "imputation": sampled.imputation,
    "strange": anomalies.strange,
    "alarms": anomalies.alarms,
    "planted": anomalies.planted,
    "logs": texts.logs,
    "drift": anomalies.drift,
    "cells": anomalies.cells,
    "attacks": anomalies.attacks,
    "attackscolour": anomalies.colour_attacks,
    "pvalues": anomalies.pvalues,
    "outliers": outliers.found,
    "outlieralarms": outliers.alarms,
    "outliergoals": outliers.goals,
    "fuzz": damaged.fuzz,
    "scaleruns": scale.runs,
    "scalemany": scale.many,
    "scalewords": scale.words,
    "scalejobs": scale.jobs,
    "scalesimulated": scale.simulated,
    "scalecompared": scale.compared,
    "signals": endings.signals,
    "ends": endings.ends,
    "changed": endings.changed,
    "flips": endings.flips,
    "large": large.memory,
    "largerates": large.rates,
    "fitmemory": large.fits,
    "folders": folders.fits,
    "comparesampled": comparison.sampled,
    "compareflows": comparison.flows,
    "compareforecasts": comparison.forecasts,
    "comparecharacters": comparison.characters,
}


def read_results() -> list[dict[str, Any]]:
    """All reports in ``results/``."""
    return [json.loads(path.read_text()) for path in sorted((ROOT / "results").glob("*.json"))]


def with_tables(text: str, results: list[dict[str, Any]]) -> str:
    """The page ``text`` with each of its tables written anew."""
    return re.sub(
        r"(<!-- table: (\w+) -->\n).*?(<!-- end -->)",
        lambda match: match[1] + TABLES[match[2]](results) + "\n" + match[3],
        text,
        flags=re.DOTALL,
    )


def main() -> int:
    """Write the tables, or compare them."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--check", action="store_true", help="compare only, and fail where a page is out of date")
    check = parser.parse_args().check
    results, stale = read_results(), False
    for page in PAGES:
        before = page.read_text()
        after = with_tables(before, results)
        if before == after:
            continue
        stale = True
        if check:
            print(f"{page.name} is not what results/ says: run `make results-tables`", file=sys.stderr)
        else:
            page.write_text(after)
    return int(stale and check)


if __name__ == "__main__":
    sys.exit(main())
