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

import anomaly_tables
import audio_tables
import image_tables
import real_tables
from table_parts import SPEED, table

ROOT = Path(__file__).resolve().parent.parent

BINARY_TABLES = ("nltcs", "plants", "jester", "dna", "mushrooms")
TEXTS = ("shakespeare", "names", "wikitext2")
ELSEWHERE = (*BINARY_TABLES, *TEXTS, *image_tables.MANY_LEVELS, "fsdd", "wine-red", "wine-white")
"""Data sets with a table of their own."""
LABELS = {
    "independent": "independent variables",
    "chow-liu": "`BayesNet`, Chow-Liu tree",
    "fvsbn": "`FVSBN`",
    "nade": "`NADE`",
    "made": "`MADE`",
    "ensemble": "best `Ensemble`",
}
PUBLISHED = {
    "*FVSBN* (Germain et al. 2015)": {"dna": 83.64, "mushrooms": 10.27},
    "*NADE* (Germain et al. 2015)": {"dna": 84.81, "mushrooms": 9.81},
    "*EoNADE, 16 orders* (Germain et al. 2015)": {"dna": 82.31, "mushrooms": 9.69},
    "*MADE* (Germain et al. 2015)": {"dna": 83.63, "mushrooms": 9.68},
    "*MADE, mask sampling* (Germain et al. 2015)": {"dna": 79.66, "mushrooms": 9.69},
    "*ID-SPN*": {"nltcs": 6.02, "plants": 12.54, "jester": 52.86, "dna": 81.21},
    "*HCLT*": {"nltcs": 6.00, "plants": 14.26, "jester": 52.46, "dna": 79.06},
}
"""Published test NLL, nats, of the papers that report these sets."""


def read_results() -> list[dict[str, Any]]:
    """All that ``results/`` holds."""
    return [json.loads(path.read_text()) for path in sorted((ROOT / "results").glob("*.json"))]


def likelihoods(results: list[dict[str, Any]]) -> str:
    """Test NLL of every recipe on images beside the published number."""
    rows = []
    for result in sorted(
        (result for result in results if "recipe" in result and data_of(result) not in ELSEWHERE),
        key=lambda result: (result["recipe"].partition("/")[0], -result["nats"]),
    ):
        published = result.get("published")
        rows.append(
            [
                model_of(result),
                result["dataset"],
                f"**{result['nats']:.2f}** ± {result['nats_stderr']:.2f}",
                f"{published['nats']:.2f} ({published['source']})" if published else "none found",
                f"{result['parameters']:,}",
                f"{result['minutes']:.1f}",
                f"`{result['recipe']}`",
            ]
        )
    return table(["model", "data", "test NLL, nats", "published", "parameters", "minutes", "recipe"], rows)


def data_of(result: dict[str, Any]) -> str:
    """The data set that a result's recipe names."""
    return str(result["recipe"].partition("/")[0])


def model_of(result: dict[str, Any]) -> str:
    """The model, whether it reads patches, and how many members an ensemble has."""
    members, patch = len(result.get("member_nats", ())), result["settings"].get("model.patch_size", 1)
    of_patches = f", {patch} x {patch} patches" if patch > 1 else ""
    of_classes = ", given the class" if "model.num_classes" in result["settings"] else ""
    return f"{result['model']}{of_patches}{of_classes}{f', mean of {members}' if members else ''}"


def binary_tables(results: list[dict[str, Any]]) -> str:
    """Test NLL on the five binary tables, beside what was published."""
    nats = {result["recipe"]: result for result in results if "recipe" in result}
    rows = []
    for name in ("independent", "chow-liu", "fvsbn", "nade", "made", "ensemble"):
        cells = []
        for data in BINARY_TABLES:
            result = nats[f"{data}/{name}"]
            cell = f"**{result['nats']:.2f}** ± {result['nats_stderr']:.2f}"
            cells.append(f"{cell} ({model_of(result)})" if name == "ensemble" else cell)
        rows.append([LABELS[name], *cells])
    for source, numbers in PUBLISHED.items():
        rows.append([source, *(f"{numbers[data]:.2f}" if data in numbers else "" for data in BINARY_TABLES)])
    return table(["", *BINARY_TABLES], rows)


def completion(results: list[dict[str, Any]]) -> str:
    """How well hidden pixels are completed."""
    (report,) = [result for result in results if result.get("benchmark") == "completion"]
    rows = [
        [
            row["seen"],
            row["model"],
            f"{row['particles']} particles" if "particles" in row else "exact",
            f"**{row['hidden_nats']:.2f}** ± {row['hidden_nats_stderr']:.2f}",
            f"{row['ess_median']:.1f} ({row['ess_least']:.1f})" if "particles" in row else "",
            f"{1e3 * row['seconds_per_completion']:.0f} ms",
        ]
        for row in report["rows"]
    ]
    header = ["seen", "model", "by", "hidden pixels, nats", "effective sample size, median (least)", "each"]
    return table(header, rows)


def classes(results: list[dict[str, Any]]) -> str:
    """Accuracy of Bayes' rule beside logistic regression."""
    (report,) = [result for result in results if result.get("benchmark") == "classes"]
    rows = [
        [f"{row['model']}, class-conditional", f"**{row['test_accuracy']:.2%}**", f"{row['minutes']:.1f}"]
        for row in report["classifiers"]
    ]
    (pictures,) = [result for result in results if result.get("benchmark") == "pictures"]
    image = pictures["classifier"]
    rows.append(
        [f"{image['model']}, class-conditional", f"**{image['test_accuracy']:.2%}**", f"{image['minutes']:.1f}"]
    )
    pixels = next(row for row in report["probes"] if row["features"] == "pixels")
    rows.append(["logistic regression on pixels", f"{pixels['test_accuracy']:.2%}", f"{pixels['seconds'] / 60:.1f}"])
    return table(["classifier", "test accuracy", "minutes"], rows)


def probes(results: list[dict[str, Any]]) -> str:
    """Accuracy of a linear probe on features."""
    (report,) = [result for result in results if result.get("benchmark") == "classes"]
    rows = [[row["features"], str(row["size"]), f"{row['test_accuracy']:.2%}"] for row in report["probes"]]
    return table(["features", "size", "test accuracy of a linear probe"], rows)


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
    return table([*SPEED, "training images/s"], rows)


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


def texts(results: list[dict[str, Any]]) -> str:
    """Nats and bits per character of the recipes on text, beside general compressors on the same part."""
    (report,) = [result for result in results if result.get("benchmark") == "text"]
    rows = []
    for data in TEXTS:
        own = [result for result in results if result.get("recipe", "").startswith(f"{data}/")]
        for result in sorted(own, key=lambda result: result["nats_per_character"]):
            settings, published = result["settings"], result["published"]
            size = f"{settings['model.num_layers']} x {settings['model.hidden_size']}"
            rows.append(
                [
                    f"`RNN`, {settings['model.cell']}, {size}",
                    data,
                    f"**{result['nats_per_character']:.4f}**",
                    f"{result['bits_per_character']:.3f}",
                    f"{published['nats']} ({published['source']})" if published else "",
                    f"{result['parameters']:,}",
                    f"{result['minutes']:.0f}",
                    f"`{result['recipe']}`",
                ]
            )
        for row in report["compressors"]:
            if row["data"] == data:
                nats, bits = f"{row['nats_per_character']:.4f}", f"{row['bits_per_character']:.3f}"
                rows.append([f"*{row['compressor']}*", data, nats, bits, "", "", "", ""])
    header = ["model", "text", "test nats per character", "bits", "published nats", "parameters", "minutes", "recipe"]
    return table(header, rows)


def writing(results: list[dict[str, Any]]) -> str:
    """What the fitted models of text write."""
    (report,) = [result for result in results if result.get("benchmark") == "writing"]
    names, headings, play = report["names"], report["wikitext2"], report["shakespeare"]
    return (
        f"Of {names['drawn']} names drawn, {names['share_in_training_part']:.0%} are in the training part and another "
        f"{names['share_in_other_parts']:.0%} in the parts held out; the rest is new. The first ones: "
        f"{', '.join(names['fifty'][:24])}. Of {headings['headings']} headings that the model of Wikipedia "
        f"began, {headings['share_balanced']:.0%} end with as many marks as they begin with, such as "
        f"{' and '.join(f'`{heading.strip()}`' for heading in headings['balanced'][:2])}. After `{play['prompt']}`:\n\n"
        f"```\n{play['text'][:400].rpartition(chr(10))[0]}\n```"
    )


def textspeed(results: list[dict[str, Any]]) -> str:
    """Speed of a 3 x 512 LSTM on text, and what bounds it."""
    (report,) = [result for result in results if result.get("benchmark") == "text"]
    (memory,) = [result for result in results if result.get("benchmark") == "memory"]
    speed = report["speed"]
    trained, drawn = speed["train_characters_per_second"], speed["sample_characters_per_second"]
    share, ratio = speed["train_share_of_matrix_products"], speed["sample_64_over_fastest_1"]
    rows = [
        [
            "train",
            "matrix products",
            f"{trained['float32']:,.0f} ({share['float32']:.0%})",
            f"{trained['bfloat16']:,.0f} ({share['bfloat16']:.0%})",
        ],
        *(
            [
                f"sample {lanes} at once",
                bound,
                f"{drawn['32-true'][lanes]:,.0f} ({speed['float32_share_of_floor'][lanes]:.0%})",
                f"{drawn['bf16-mixed'][lanes]:,.0f}",
            ]
            for lanes, bound in {"1": "reading weights", "64": "matrix products"}.items()
        ),
        ["64 at once over the fastest one", "", *(f"{ratio[name]:.1f}x" for name in ("32-true", "bf16-mixed"))],
    ]
    limits = speed["rates"]
    return (
        table(["characters/s", "beside", "float32 (share of that rate)", "bfloat16 products"], rows)
        + f"\n\nOn {report['machine']['cpu']}, {report['machine']['threads']} threads: products at "
        f"{limits['float32_gflops']:.0f} GFLOP/s in float32 and {limits['bfloat16_gflops']:,.0f} in bfloat16, weights "
        f"read at {limits['read_gigabytes_per_second']:.0f} GB/s (more where they stay in a cache). Scoring "
        f"{memory['bytes'] / 1e9:.1f} GB of text took {memory['largest_resident_gigabytes']:.2f} GB of memory, at "
        f"{memory['characters_per_second'] / 1e6:.1f} million characters/s on {memory['machine']['threads']} thread."
    )


TABLES = {
    "likelihoods": likelihoods,
    "binary": binary_tables,
    "completion": completion,
    "classes": classes,
    "probes": probes,
    "speed": speed,
    "machine": machine,
    "texts": texts,
    "writing": writing,
    "textspeed": textspeed,
    "bits": image_tables.bits,
    "imagemean": image_tables.mean,
    "imagespeed": image_tables.speed,
    "audio": audio_tables.bits,
    "listening": audio_tables.listening,
    "audiospeed": audio_tables.speed,
    "wine": real_tables.wine,
    "foldswon": real_tables.folds_won,
    "winerecipes": real_tables.recipes,
    "removed": real_tables.removed,
    "toldapart": real_tables.told_apart,
    "strange": anomaly_tables.strange,
    "attacks": anomaly_tables.attacks,
    "pvalues": anomaly_tables.pvalues,
}


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
