"""A whole table of probabilities beside Bayes nets, on the first columns of nltcs: what its numbers buy, and cost.

Writes ``benchmark-counting.json``. A table of n binary columns has 2^n - 1 numbers. While there are examples for all of
them it is as good as any model can be; with more columns, or fewer examples, most of its rows were seen once or never.
Its prior is chosen on the validation split; the test split is looked at once.
"""

import argparse
import json
from pathlib import Path
from typing import Any

import chainrule
from chainrule.atomic import write_atomically
from chainrule.conditionals import Bernoulli
from chainrule.data import load
from chainrule.model import CountedModel
from chainrule.models import BayesNet, Table
from chainrule.runs import machine
from chainrule.runs.folder import versions

COLUMNS = (2, 4, 8, 12, 16)
FEWER = (250, 1000, 4000)
"""Numbers of training examples of which all 16 columns are counted, beside all."""
PRIORS = (0.01, 0.03, 0.1, 0.3, 1.0, 3.0)
NETS = {"independent": "previous:0", "chow-liu": "chow-liu", "previous 4": "previous:4"}


def figures(model: CountedModel, splits: dict[str, Any]) -> dict[str, Any]:
    """The NLL of both held-out splits under a model that has counted the training split."""
    model.count([(splits["train"], None)])
    found = {split: chainrule.evaluate(model, splits[split]) for split in ("valid", "test")}
    return {
        "parameters": model.num_parameters,
        "valid_nats": found["valid"].nats,
        "nats": found["test"].nats,
        "nats_stderr": found["test"].nats_stderr,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, default=Path("results"))
    out = parser.parse_args().out
    data = load("nltcs")
    everything = len(data.train)
    rows = []
    for count, examples in [*((count, everything) for count in COLUMNS), *((COLUMNS[-1], few) for few in FEWER)]:
        splits = {split: data.split(split)[:][:, :count] for split in ("train", "valid", "test")}
        splits["train"] = splits["train"][:examples]
        event = {"event_shape": (count,), "conditional": Bernoulli()}
        tables = [figures(Table(**event, prior=prior), splits) | {"prior": prior} for prior in PRIORS]
        patterns = len(splits["train"].unique(dim=0))
        row = {"columns": count, "examples": examples, "patterns": patterns}
        row["Table"] = min(tables, key=lambda table: table["valid_nats"])
        row |= {name: figures(BayesNet(**event, structure=structure), splits) for name, structure in NETS.items()}
        rows.append(row)
        print(json.dumps(row))
    report = {
        "benchmark": "counting",
        "dataset": data.description,
        "rows": rows,
        "machine": machine(),
        "versions": versions(),
    }
    write_atomically(out / "benchmark-counting.json", (json.dumps(report, indent=2) + "\n").encode())


if __name__ == "__main__":
    main()
