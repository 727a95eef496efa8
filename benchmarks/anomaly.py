"""Outliers in tables, found by `ChainRuleDetector` with its defaults and by rivals, without labels.

Each set is learnt from usual rows alone (*clean*), and from rows of which some are anomalies, without being told which
(*contaminated*). Test rows are judged by the area under the ROC curve and by the average precision. ``alarms`` are the
shares of usual test rows that are found to be outliers, where 5 % and 10 % of rows like those of training were asked
for. What is in ``benchmark-anomaly.json`` already stays, unless ``--again``; what failed is tried again.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import time
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from anomaly_sets import SEEDS, SETTINGS, SHARES, Split, names, split
from sklearn.metrics import average_precision_score, roc_auc_score
from stored import Report

from chainrule.estimators import ChainRuleDetector
from chainrule.runs import machine
from chainrule.runs.folder import versions

OURS = "chainrule"
RIVALS = ("IForest", "ECOD", "COPOD", "KNN", "LOF", "HBOS", "Gaussian mixture (BIC)", "kernel density")
SCRIPT = Path(__file__).with_name("rivals") / "outliers.py"


def by_detector(rows: Split, seed: int) -> dict[str, Any]:
    """The figures of one fit; thresholds are of held-out rows."""
    started = time.process_time()
    detector = ChainRuleDetector(random_state=seed).fit(rows.train)
    scores = detector.score_samples(rows.test)
    cost = time.process_time() - started
    usual, learnt = scores[rows.strange == 0], detector.score_samples(rows.train)  # the held-out ones
    alarms = {str(share): float((usual < np.quantile(learnt, share)).mean()) for share in SHARES}
    return judged(rows, -scores, alarms | {"auto": float((usual < detector.offset_).mean())}, cost)


def by_rival(options: argparse.Namespace, name: str, seed: int, setting: str, method: str) -> dict[str, Any]:
    """The figures of scores that `rivals/outliers.py` wrote; its thresholds are of the training rows."""
    with np.load(options.work / f"{name}-{seed}-{setting}-{method}.npz") as file:
        rows = split(name, seed, setting)
        train, test, cost = file["train"], file["test"], float(file["cpu_seconds"])
        packages = file["packages"].tolist()
    usual = test[rows.strange == 0]
    alarms = {str(share): float((usual > np.quantile(train, 1 - share)).mean()) for share in SHARES}
    return judged(rows, test, alarms, cost) | {"packages": packages}


def judged(rows: Split, strangeness: np.ndarray, alarms: dict[str, float], cost: float) -> dict[str, Any]:
    limits = np.finfo(np.float64)
    strangeness = np.clip(strangeness, limits.min, limits.max)  # infinite ones among a mixture's
    return {
        "auc": float(roc_auc_score(rows.strange, strangeness)),
        "average_precision": float(average_precision_score(rows.strange, strangeness)),
        "alarms": alarms,
        "cpu_seconds": round(cost, 3),
    }


def measured(options: argparse.Namespace, name: str, seed: int, method: str) -> dict[str, Any]:
    """The figures of a method in both settings, or how it failed."""
    about = {"machine": machine() | {"threads": 1}, "versions": versions()}
    if method == OURS:
        return {setting: by_detector(split(name, seed, setting), seed) for setting in SETTINGS} | about
    if not all((options.work / f"{name}-{seed}-{setting}-{method}.npz").exists() for setting in SETTINGS):
        options.work.mkdir(parents=True, exist_ok=True)
        missing = ",".join(m for m in options.methods if m != OURS)  # all at once: their imports take longest
        command = [str(options.rivals_python), str(SCRIPT), str(options.work), name, str(seed), missing]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode:
            return {"error": (done.stderr.strip().splitlines() or ["unknown"])[-1][:300]} | about
    return {setting: by_rival(options, name, seed, setting, method) for setting in SETTINGS} | about


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", nargs="+", choices=names(), default=names(), metavar="SET")
    parser.add_argument("--methods", nargs="+", choices=(OURS, *RIVALS), default=[OURS, *RIVALS], metavar="METHOD")
    parser.add_argument("--work", type=Path, default=Path("runs/anomaly"), help="where the rivals' scores are kept")
    parser.add_argument("--out", type=Path, default=Path("results"))
    parser.add_argument("--rivals-python", type=Path, default=Path(".venv-rivals/bin/python"))
    parser.add_argument("--again", action="store_true", help="measure anew what was measured")
    options = parser.parse_args()
    if not names():
        sys.exit("expected the sets in CHAINRULE_DATA/anomaly, or ../shared/data/anomaly, got none")
    torch.set_num_threads(1)
    cells = [(name, seed, method) for name in options.only for seed in SEEDS for method in options.methods]
    Report("anomaly", options.out).fill(cells, partial(measured, options), again=options.again)


if __name__ == "__main__":
    main()
