"""The table of default fits of folders of images."""

from typing import Any

from markdown import table


def fits(results: list[dict[str, Any]]) -> str:
    """Bits per dimension of each folder; empty where they were not measured."""
    found = next((result for result in results if result.get("benchmark") == "folders"), None)
    if found is None:
        return ""
    rows = [
        [
            own["about"].rstrip("."),
            f"{own['images']:,}",
            "x".join(map(str, own["shape"])),
            str(own["levels"]),
            own["model"],
            f"{own['minutes']:.1f}",
            f"{own['test_bits_per_dim']:.3f}",
            f"{own['independent_bits_per_dim']:.3f}",
        ]
        for own in found["fits"]
    ]
    names = ["folder", "images", "shape", "levels", "model", "minutes", "test bits/dim", "independent pixels"]
    reading = found["reading"]
    seconds = (
        f"{reading['files']:,} files of 28x28 pixels are read, all headers and pixels, in {reading['seconds']:.1f} s."
    )
    return f"{table(names, rows)}\n\n{seconds}"
