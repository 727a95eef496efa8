"""The parts that all tables share."""

SPEED = [
    "model",
    "`log_prob(64)`",
    "`sample(64)`",
    "by recomputing",
    "faster",
    "passes",
    "operations / pass",
]
"""The first columns of both tables of speed."""


def table(header: list[str], rows: list[list[str]]) -> str:
    """A Markdown table."""
    lines = [header, ["---"] * len(header), *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)
