"""Speed beside the floor of the machine, and beside rivals."""

from typing import Any

from markdown import table


def speed(results: list[dict[str, Any]]) -> str:
    """Times of samples, likelihoods and training, and how far each is above its floor."""
    rows = []
    for row in _report(results)["rows"]:
        drawn = list(row["sample"].items())
        most, last = drawn[-1]
        rows.append(
            [
                row["model"],
                _beside_floor(row["sample"]["1"]),
                _beside_floor(row["sample"]["64"]),
                f"{int(most):,}: {_beside_floor(last)}" if len(drawn) > 2 else "",
                _time(row["complete_4_by_16_seconds"]) if "complete_4_by_16_seconds" in row else "",
                f"{row['steps_in_python_64_seconds'] / row['sample']['64']['seconds']:,.0f}x",
                _rate(row, "log_prob"),
                _rate(row, "train"),
            ]
        )
    header = [
        "model",
        "`sample(1)`",
        "`sample(64)`",
        "more",
        "4 x 16 particles",
        "faster than steps in Python",
        "`log_prob`/s",
        "training/s",
    ]
    return table(header, rows)


def rivals(results: list[dict[str, Any]]) -> str:
    """The same times of rivals."""
    rows = []
    for row in _report(results)["rows"]:
        if "rival_log_prob_per_second" not in row:
            continue
        drawn = [f"{count}: {_time(own['rival_seconds'])} (**{own['rival_seconds'] / own['seconds']:,.1f}x**)"
                 for count, own in row["sample"].items()]  # fmt: skip
        ours, theirs = row["log_prob_per_second"], row["rival_log_prob_per_second"]
        rows.append(
            [
                row["model"],
                ", ".join(drawn),
                f"{theirs:,.0f} (**{ours / theirs:.1f}x**)",
                f"{row['rival_train_per_second']:,.0f} (**{row['train_speedup']:.1f}x**{_half(row)})",
            ]
        )
    return table(["the rival of", "samples at once", "`log_prob`/s", "training/s"], rows)


def _half(row: dict[str, Any]) -> str:
    return ", ours in bfloat16" if row.get("train_precision") == "bf16-mixed" else ""


def machine(results: list[dict[str, Any]]) -> str:
    """Where the speeds were measured."""
    report = _report(results)
    rates, where = report["rates"], report["machine"]
    return (
        f"Measured in one process on {where['cpu']} ({where['cores']} cores, {where['threads']} threads), where a "
        f"matrix product runs at {rates['matrix_product_gflops']:.0f} GFLOP/s "
        f"({rates['matrix_product_gflops_of_one_thread']:.0f} on one thread), sigmoid at "
        f"{rates['sigmoid_billions_per_second']:.1f} billion numbers/s, torch draws "
        f"{rates['random_millions_per_second']:.0f} million random numbers/s, and one eager operation takes "
        f"{rates['eager_add_microseconds']:.1f} µs."
    )


def _report(results: list[dict[str, Any]]) -> dict[str, Any]:
    (report,) = [result for result in results if result.get("benchmark") == "speed"]
    return report


def _beside_floor(own: dict[str, Any]) -> str:
    return _time(own["seconds"]) + (f" ({own['times_floor']:.1f})" if "times_floor" in own else "")


def _rate(row: dict[str, Any], name: str) -> str:
    if f"{name}_per_second" not in row:
        return ""
    above = f" ({row[f'{name}_times_floor']:.1f})" if f"{name}_times_floor" in row else ""
    return f"{row[f'{name}_per_second']:,.0f}{above}"


def _time(seconds: float) -> str:
    if seconds < 1:
        return f"{1e3 * seconds:.2g} ms" if seconds < 0.1 else f"{1e3 * seconds:.0f} ms"
    return f"{seconds:.2g} s" if seconds < 100 else f"{seconds:,.0f} s"
