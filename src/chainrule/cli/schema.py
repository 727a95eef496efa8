"""``chainrule schema``."""

from __future__ import annotations

from typing import Any

import yaml

from chainrule.atomic import write_atomically
from chainrule.cli.opening import say
from chainrule.data.infer import sketch
from chainrule.data.read.layout import FileChoices
from chainrule.data.read.open_table import open_table
from chainrule.data.read.table import cells_of
from chainrule.data.write import check_suffix


def run_schema(options: dict[str, Any]) -> None:
    """Print the schema inferred from a table, and write it to a file that a person can edit."""
    path, out = options["table"], options["out"]
    header = None if options["header"] is None else options["header"] == "yes"
    table = open_table(path, FileChoices(options["encoding"], header))
    cells = cells_of(table)
    schema, problems = sketch(cells.frame, path.name, text=cells.text)
    print(schema.with_examples(cells.frame))
    say(table.notes)
    say(f"note: {note}" for note in schema.notes)
    say(f"fit would refuse this: {problem}" for problem in problems)
    if out is not None:
        check_suffix(out, (".yaml", ".yml"))
        write_atomically(out, yaml.safe_dump(schema.config, sort_keys=False, allow_unicode=True).encode())
        say([f"wrote {out}: edit it, and give it to fit as --schema"])
