"""Text: likelihoods, samples and speed."""

from statistics import fmean
from typing import Any

from markdown import table

TEXTS = ("shakespeare", "names", "wikitext2")


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
    """Samples of the fitted models of text."""
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


def logs(results: list[dict[str, Any]]) -> str:
    """How well changed lines of logs are told from others."""
    report = next((result for result in results if result.get("benchmark") == "logs"), None)
    if report is None:
        return ""
    rows = []
    for name, by_seed in report["sets"].items():
        for form in sorted({form for own in by_seed.values() for form in own}, reverse=True):
            found = [own[form] for own in by_seed.values() if form in own]
            cells = [name, form, f"{found[0]['lines']:,}", f"{found[0]['minutes']:g}"]
            for change in found[0]["changes"]:
                auc, mean = (fmean(one["changes"][change][key] for one in found) for key in ("auc", "auc_of_mean"))
                cells.append(f"{auc:.3f} ({mean:.3f})")
            alarms = fmean(change["alarms"] for one in found for change in one["changes"].values())
            rows.append([*cells, f"{alarms:.1%}"])
    header = ["log", "read as", "lines", "minutes", "one character", "a word", "cut off", "alarms"]
    return table(header, rows)
