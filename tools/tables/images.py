"""Tables of images with many levels, and of the speed of image models."""

from typing import Any

from markdown import SPEED, table

MANY_LEVELS = ("mnist-grey", "cifar10-jpeg")
"""Data sets whose results are bits per dimension, beside those of compressors."""


def bits(results: list[dict[str, Any]]) -> str:
    """Bits per dimension of the recipes with many levels, beside compressors on the same test images."""
    (report,) = [result for result in results if result.get("benchmark") == "compressors"]
    rows = []
    for data in MANY_LEVELS:
        own = [result for result in results if result.get("recipe", "").startswith(f"{data}/")]
        for result in sorted(own, key=lambda result: result["bits_per_dim"]):
            rows.append(
                [
                    data,
                    f"`{result['model']}`, {'softmax' if 'conditional' not in result['settings'] else 'mixture'}",
                    f"**{result['bits_per_dim']:.3f}**",
                    "",
                    f"{result['parameters']:,}",
                    f"{result['minutes']:.0f}",
                    f"`{result['recipe']}`",
                ]
            )
        for row in report["rows"]:
            if row["data"] == data:
                sizes = f"{row['files_bits_per_dim']:.3f}", f"{row['tiles_bits_per_dim']:.3f}"
                rows.append([data, f"*{row['compressor']}*", *sizes, "", "", ""])
    header = ["images", "", "bits per dimension", "as tiles of one image", "parameters", "minutes", "recipe"]
    return table(header, rows)


def mean(results: list[dict[str, Any]]) -> str:
    """The NLL of the mean of several image models' p(x)."""
    (report,) = [result for result in results if result.get("benchmark") == "pictures"]
    found = report["ensemble"]["test"]
    alone = ", ".join(f"{nats:.2f}" for nats in found["member_nats"])
    return (
        f"The mean of the p(x) of PixelCNN, Gated PixelCNN and PixelCNN++, an `Ensemble`, has a test NLL of "
        f"**{found['nats']:.2f}** ± {found['nats_stderr']:.2f} nats on binarised MNIST, where they have {alone}; "
        f"that of the class-conditional PixelCNN over the classes, sum_c p(c) p(x | c), has "
        f"{report['classifier']['mixture_test_nats']:.2f}."
    )


def speed(results: list[dict[str, Any]]) -> str:
    """Seconds per likelihood and per sample of 64 images, and images per second in training."""
    (report,) = [result for result in results if result.get("benchmark") == "images"]
    compared = any("textbook" in row["train_images_per_second"] for row in report["rows"])
    rows = []
    for row in report["rows"]:
        trained = row["train_images_per_second"]
        best = max((name for name in trained if name != "textbook"), key=trained.__getitem__)
        beside = f"{trained['textbook']:,.0f} (**{row['train_speedup']:.1f}x**)" if "textbook" in trained else ""
        rows.append(
            [
                row["model"],
                f"{row['log_prob_64_seconds']:.2f} s",
                f"{row['sample_64_seconds']:.2f} s",
                f"{row['recompute_64_seconds']:,.0f} s",
                f"**{row['speedup_over_recompute']:,.0f}x**",
                f"{row['passes_per_sample']:.1f}",
                f"{row['sample_operations'] / row['log_prob_operations']:.2f}",
                f"{trained['float32']:,.0f}",
                f"{trained[best]:,.0f} ({best})",
                *([beside] if compared else []),
            ]
        )
    header = [*SPEED, "training images/s, float32", "at best", *(["the textbook's way"] if compared else [])]
    where = report["machine"]
    return table(header, rows) + (
        f"\n\nOn {where['cpu']}, {where['threads']} threads, in batches of 64, where a matrix product runs at "
        f"{report['rates']['matrix_product_gflops']:.0f} GFLOP/s in float32 and one eager operation takes "
        f"{report['rates']['eager_add_microseconds']:.1f} µs."
    )
