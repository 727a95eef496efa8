"""Speed of the models of binary vectors."""

from typing import Any

from markdown import SPEED, table


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
