"""Samples of the fitted models of text: new names, balanced headings, lines of a play.

Writes ``benchmark-writing.json``. The runs are those of the recipes names/lstm, wikitext2/lstm and shakespeare/lstm.
"""

import argparse
import json
import re
from pathlib import Path
from typing import Any

import torch

import chainrule
from chainrule.atomic import write_atomically
from chainrule.data import load
from chainrule.data.text import TextFormat
from chainrule.runs import folder as run_folder
from chainrule.runs import machine
from chainrule.runs.folder import versions

HEADING = re.compile(r" ((?:= )+).*?((?:= )*)")
"""A line of WikiText that begins a heading: its marks before and after."""


def draw(run: Path, n: int, **options: Any) -> list[str]:
    """Texts that the model of ``run`` writes."""
    text = TextFormat.from_config(run_folder.read_config(run)["data"]["text"])
    return [text.decode(row) for row in chainrule.sample(chainrule.load(run), n, seed=0, **options)]


def names(run: Path) -> dict[str, Any]:
    """Fifty names, and of a thousand how many the training part has, and how many the other parts."""
    data = load("names")
    assert isinstance(data.format, TextFormat)
    known = {split: {data.format.decode(row) for row in data.split(split)[:]} for split in ("train", "valid", "test")}
    drawn = draw(run, 1000)
    unseen = [name for name in drawn if name not in known["train"]]
    return {
        "temperature": 1.0,
        "fifty": drawn[:50],
        "drawn": len(drawn),
        "different": len(set(drawn)),
        "share_in_training_part": 1 - len(unseen) / len(drawn),
        "share_in_other_parts": sum(name in known["valid"] | known["test"] for name in unseen) / len(drawn),
        "share_of_fifty_in_training_part": sum(name in known["train"] for name in drawn[:50]) / 50,
    }


def headings(run: Path) -> dict[str, Any]:
    """The share of headings with as many marks after as before, in 32 articles of 2000 characters."""
    texts = draw(run, 32, length=2000, temperature=0.8)
    lines = [line for text in texts for line in text.split("\n")[1:-1]]
    found = [match for line in lines if line.startswith(" = ") and (match := HEADING.fullmatch(line))]
    balanced = [match[0] for match in found if len(match[1]) == len(match[2])]
    return {
        "temperature": 0.8,
        "headings": len(found),
        "share_balanced": len(balanced) / max(1, len(found)),
        "balanced": balanced[:12],
        "text": max(texts, key=lambda text: text.count(" = "))[:1200],
    }


def play(run: Path) -> dict[str, Any]:
    """The model's continuation of a prompt."""
    prompt = "KING LEAR:"
    text = TextFormat.from_config(run_folder.read_config(run)["data"]["text"])
    prefix = torch.from_numpy(text.vocabulary.encode(prompt, strict=True))
    return {"temperature": 0.8, "prompt": prompt, "text": draw(run, 1, prefix=prefix, length=700, temperature=0.8)[0]}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=Path, default=Path("runs"))
    parser.add_argument("--out", type=Path, default=Path("results"))
    options = parser.parse_args()
    report = {"benchmark": "writing", "machine": machine(), "versions": versions()}
    for name, part, run in (
        ("names", names, "names"),
        ("wikitext2", headings, "wikitext2"),
        ("shakespeare", play, "shakespeare"),
    ):
        report[name] = part(options.runs / run / "lstm")
        print(json.dumps({name: report[name]}, indent=2), flush=True)
    content = json.dumps(report, indent=2, ensure_ascii=False) + "\n"
    write_atomically(options.out / "benchmark-writing.json", content.encode())


if __name__ == "__main__":
    main()
