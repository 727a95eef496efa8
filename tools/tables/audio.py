"""Tables of recordings."""

from typing import Any

from markdown import table


def bits(results: list[dict[str, Any]]) -> str:
    """Bits per sample of the recipes on the spoken digits, beside linear predictors and FLAC."""
    (report,) = [result for result in results if result.get("benchmark") == "audio"]
    found = report["baselines"]
    rows = [
        [
            f"`{result['model']}`",
            "mu-law, 8 bit",
            f"**{result['bits_per_sample']:.3f}**",
            f"{result['parameters']:,}",
            f"{result['minutes']:.0f}",
            f"`{result['recipe']}`",
        ]
        for result in results
        if result.get("recipe", "").startswith("fsdd/")
    ]
    for order, value in found["linear_predictor_bits"].items():
        rows.append([f"*linear predictor of order {order}*", "mu-law, 8 bit", f"{value:.3f}", "", "", ""])
    for name, words in {"flac_8_bit": "mu-law, 8 bit", "flac_16_bit": "16 bit"}.items():
        for how, of in {"files": "a file each", "one_file": "all in one file"}.items():
            rows.append([f"*FLAC, {of}*", words, f"{found[name][how]:.3f}", "", "", ""])
    return table(["", "samples", "bits per sample", "parameters", "minutes", "recipe"], rows)


def levels(results: list[dict[str, Any]]) -> str:
    """Bits per sample of one network on mu-law and on linear levels, after as many steps."""
    (report,) = [result for result in results if result.get("benchmark") == "sound-levels"]
    rows = [
        [
            f"`--levels {row['levels']}`",
            f"{row['bits_per_sample']:.3f}",
            f"**{row['bits_per_sample_of_16_bits']:.3f}**",
            f"{row['parameters']:,}",
        ]
        for row in report["rows"]
    ]
    header = [f"{report['steps']:,} steps", "bits of its levels", "bits of a 16-bit sample", "parameters"]
    return table(header, rows)


def listening(results: list[dict[str, Any]]) -> str:
    """The accuracy of a recogniser on samples."""
    (report,) = [result for result in results if result.get("benchmark") == "listening"]
    heard = report["recognised"]
    return (
        f"A logistic regression on spectra recognises the digit in {heard['real_test_accuracy']:.0%} of the real test "
        f"recordings and in {heard['generated_accuracy']:.0%} of {heard['generated']} that the model drew, after "
        f"{report['minutes_of_training']:.0f} minutes of training."
    )


def speed(results: list[dict[str, Any]]) -> str:
    """Samples per second that are drawn, by steps and by recomputing, and trained on."""
    (report,) = [result for result in results if result.get("benchmark") == "audio"]
    rows = []
    for row in report["rows"]:
        for streams, rate in row["sample_samples_per_second"].items():
            again = row["recompute_samples_per_second"][streams]
            first = streams == "1"
            rows.append(
                [
                    row["model"] if first else "",
                    streams,
                    f"{rate:,.0f}",
                    f"{again:,.0f}",
                    f"**{rate / again:,.0f}x**",
                    f"{max(row['train_samples_per_second'].values()):,.0f}" if first else "",
                ]
            )
    where = report["machine"]
    header = ["WaveNet", "streams", "samples/s", "by recomputing", "faster", "training samples/s"]
    rate = report["rates"]["matrix_product_gflops"]
    used = ", ".join(f"{row['train_gflops']:.0f}" for row in report["rows"])
    return table(header, rows) + (
        f"\n\nOn {where['cpu']}, {where['threads']} threads, where a matrix product runs at {rate:.0f} GFLOP/s in "
        f"float32; training did {used} GFLOP/s in bfloat16."
    )
