"""``chainrule schema``."""

from __future__ import annotations

from typing import Any

import yaml

from chainrule.atomic import write_atomically
from chainrule.cli.opening import say
from chainrule.data.infer import sketch
from chainrule.data.read.table import read_cells
from chainrule.data.write import check_suffix


def run_schema(options: dict[str, Any]) -> None:
    """Print the schema inferred from a table, and write it to a file that a person can edit."""
    path, out = options["table"], options["out"]
    cells = read_cells(path)
    schema, problems = sketch(cells.frame, path.name, text=cells.text)
    print(schema.with_examples(cells.frame))
    say(f"note: {note}" for note in schema.notes)
    say(f"fit would refuse this: {problem}" for problem in problems)
    if out is not None:
        check_suffix(out, (".yaml", ".yml"))
        write_atomically(out, yaml.safe_dump(schema.config, sort_keys=False, allow_unicode=True).encode())
        say([f"wrote {out}: edit it, and give it to fit as --schema"])
