"""Writes the README's tables anew from ``results/``: every number there was measured by a program.

A table stands between ``<!-- table: NAME -->`` and ``<!-- end -->``. With ``--check``, only says
whether the README is up to date.
"""

import argparse
import json
import re
import sys
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent


def read_results() -> list[dict[str, Any]]:
    """All that ``results/`` holds."""
    return [json.loads(path.read_text()) for path in sorted((ROOT / "results").glob("*.json"))]


def table(header: list[str], rows: list[list[str]]) -> str:
    """A Markdown table."""
    lines = [header, ["---"] * len(header), *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def likelihoods(results: list[dict[str, Any]]) -> str:
    """Test NLL of every recipe beside the published number."""
    rows = []
    for result in sorted(
        (result for result in results if "recipe" in result),
        key=lambda result: (result["recipe"].partition("/")[0], -result["nats"]),
    ):
        published = result.get("published")
        rows.append(
            [
                result["model"],
                result["dataset"],
                f"**{result['nats']:.2f}** ± {result['nats_stderr']:.2f}",
                f"{published['nats']:.2f} ({published['source']})" if published else "none found",
                f"{result['parameters']:,}",
                f"{result['minutes']:.1f}",
                f"`{result['recipe']}`",
            ]
        )
    return table(["model", "data", "test NLL, nats", "published", "parameters", "minutes", "recipe"], rows)


def speed(results: list[dict[str, Any]]) -> str:
    """Sampling and training speed beside the recompute default and the textbook's way."""
    (report,) = [result for result in results if result.get("benchmark") == "speed"]
    rows = [
        [
            row["model"],
            f"{1e3 * row['log_prob_64_seconds']:.1f} ms",
            f"{1e3 * row['sample_64_seconds']:.0f} ms",
            f"{row['recompute_64_seconds']:.2g} s",
            f"**{row['speedup_over_recompute']:.0f}x**",
            f"{row['passes_per_sample']:.1f}",
            f"{row['sample_64_operations'] / row['log_prob_64_operations']:.2f}",
            f"{row['train_images_per_second']:,.0f} ({row['train_speedup']:.1f}x the textbook's way)",
        ]
        for row in report["rows"]
    ]
    header = [
        "model",
        "`log_prob(64)`",
        "`sample(64)`",
        "by recomputing",
        "faster",
        "passes",
        "operations / pass",
        "training images/s",
    ]
    return table(header, rows)


def machine(results: list[dict[str, Any]]) -> str:
    """Where the speeds were measured."""
    (report,) = [result for result in results if result.get("benchmark") == "speed"]
    rates, where = report["rates"], report["machine"]
    return (
        f"Measured in one process on {where['cpu']} ({where['cores']} cores, {where['threads']} threads), where a "
        f"matrix product runs at {rates['matrix_product_gflops']:.0f} GFLOP/s, sigmoid at "
        f"{rates['sigmoid_billions_per_second']:.1f} billion elements/s, and one eager operation takes "
        f"{rates['eager_add_microseconds']:.1f} µs."
    )


TABLES = {"likelihoods": likelihoods, "speed": speed, "machine": machine}


def main() -> int:
    """Write, or with ``--check`` compare, the tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--check", action="store_true")
    check = parser.parse_args().check
    readme, results = ROOT / "README.md", read_results()
    before = readme.read_text()
    after = re.sub(
        r"(<!-- table: (\w+) -->\n).*?(<!-- end -->)",
        lambda match: match[1] + TABLES[match[2]](results) + "\n" + match[3],
        before,
        flags=re.DOTALL,
    )
    if check:
        if before != after:
            print("README.md is not what results/ says: run `make readme`", file=sys.stderr)
        return int(before != after)
    readme.write_text(after)
    return 0


if __name__ == "__main__":
    sys.exit(main())
