"""Scenes: one file for each, and the one table that says which kind of data has which."""

from __future__ import annotations

from chainrule.runs.opened import OpenRun
from chainrule.web.scene import Scene
from chainrule.web.scenes.audio import AudioScene
from chainrule.web.scenes.images import ImagesScene
from chainrule.web.scenes.rows import RowsScene
from chainrule.web.scenes.series import SeriesScene
from chainrule.web.scenes.table import TableScene
from chainrule.web.scenes.text import TextScene

SCENES: dict[str, type[Scene]] = {
    "image": ImagesScene,
    "rows": RowsScene,
    "table": TableScene,
    "series": SeriesScene,
    "text": TextScene,
    "audio": AudioScene,
}
"""The scenes by the kind of data that a run was fitted on."""


def scene_of(run: OpenRun) -> Scene:
    """The scene of a run.

    Raises:
        ValueError: If its kind of data has none, or its model has no likelihood.
    """
    if run.kind.name not in SCENES:
        raise ValueError(
            f"show expects a run on data of the kind {', '.join(SCENES)}, got {run.kind.name} in {run.folder}"
        )
    return SCENES[run.kind.name](run)
