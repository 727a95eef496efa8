"""The six figures of the README."""

from typing import Any

from binary import PUBLISHED, data_of, model_of
from markdown import table


def figures(results: list[dict[str, Any]]) -> str:
    """One row for each kind of data, and one for speed."""
    rows = [
        _digits(results),
        _binary(results),
        _wine(results),
        _text(results),
        _grey(results),
        _speed(results),
    ]
    return table(["", "chainrule", "for comparison"], rows)


def _digits(results: list[dict[str, Any]]) -> list[str]:
    found = _benchmark(results, "pictures")["ensemble"]["test"]
    best = _best(results, "mnist", "PixelCNNPlusPlus")
    return [
        "Binarised MNIST, NLL, mean of three PixelCNNs",
        f"**{found['nats']:.2f}** nats",
        f"{best['published']['nats']:.2f} ({best['published']['source']})",
    ]


def _binary(results: list[dict[str, Any]]) -> list[str]:
    best = _best(results, "dna")
    source, nats = min(
        ((source, numbers["dna"]) for source, numbers in PUBLISHED.items() if "dna" in numbers),
        key=lambda pair: pair[1],
    )
    return [
        f"DNA, 180 binary columns, NLL, {model_of(best)}",
        f"**{best['nats']:.2f}** nats",
        f"{nats:.2f} ({source.replace('*', '')})",
    ]


def _wine(results: list[dict[str, Any]]) -> list[str]:
    report = _benchmark(results, "tables")
    ours = report["colours"]["red"]["models"]["MADE-MoG"]
    published = max(report["published"].items(), key=lambda pair: pair[1]["red"])
    return [
        "Red wine, mean log-likelihood (higher is better), MADE with mixtures",
        f"**{ours['log_likelihood']:.2f}** nats",
        f"{published[1]['red']:.2f} ({published[0]})",
    ]


def _text(results: list[dict[str, Any]]) -> list[str]:
    best = next(result for result in results if result.get("recipe") == "shakespeare/lstm")
    published = best["published"]
    return [
        "Shakespeare, NLL, LSTM",
        f"**{best['nats_per_character']:.3f}** nats a character",
        f"{published['nats']:.3f} ({published['source']})",
    ]


def _grey(results: list[dict[str, Any]]) -> list[str]:
    best = next(result for result in results if result.get("recipe") == "mnist-grey/pixel-cnn")
    rows = [row for row in _benchmark(results, "compressors")["rows"] if row["data"] == "mnist-grey"]
    other = min(rows, key=lambda row: row["tiles_bits_per_dim"])
    return [
        "MNIST of 256 grey levels, PixelCNN",
        f"**{best['bits_per_dim']:.3f}** bits a pixel",
        f"{other['tiles_bits_per_dim']:.3f} ({other['compressor']}, all images in one)",
    ]


def _speed(results: list[dict[str, Any]]) -> list[str]:
    row = max(_benchmark(results, "images")["rows"], key=lambda row: row["speedup_over_recompute"])
    return [
        f"64 images of 28 x 28 drawn, {row['model']}",
        f"**{row['sample_64_seconds']:.1f} s**",
        f"{row['recompute_64_seconds']:,.0f} s by recomputing each pixel",
    ]


def _benchmark(results: list[dict[str, Any]], name: str) -> dict[str, Any]:
    (report,) = [result for result in results if result.get("benchmark") == name]
    return report


def _best(results: list[dict[str, Any]], data: str, model: str | None = None) -> dict[str, Any]:
    """The recipe of ``data`` with the least test NLL, among those of ``model`` if it is named."""
    own = [result for result in results if "recipe" in result and data_of(result) == data]
    return min((result for result in own if model in (None, result["model"])), key=lambda result: result["nats"])
