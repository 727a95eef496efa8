"""Every picture: curves of training, samples, conditionals, surprisal, receptive fields, classes, sound, tables.

Pictures of images are exact: a variable is a square block of whole pixels of one colour, 0 is black
and ``levels - 1`` is white. Images are ``(N, channels, height, width)`` or ``(N, height, width)``;
examples ``(N, n)`` are plotted as square images if n is a square, else as the rows of one heat map.
Every function writes one file, completely or not at all, in the format of its suffix; those of tables, and
`training_picture`, give the content of a ``.png`` file, which a page may hold.

Names are imported when they are first used, for Matplotlib takes a while.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from chainrule.lazy import importer
from chainrule.plots.file import FORMATS

if TYPE_CHECKING:
    from chainrule.plots.cells import cell_picture as cell_picture
    from chainrule.plots.classes import progressive_classes as progressive_classes
    from chainrule.plots.curves import lines as lines
    from chainrule.plots.curves import training_curve as training_curve
    from chainrule.plots.curves import training_picture as training_picture
    from chainrule.plots.forecast import MOST_FORECASTS as MOST_FORECASTS
    from chainrule.plots.forecast import Forecast as Forecast
    from chainrule.plots.forecast import forecast_picture as forecast_picture
    from chainrule.plots.growth import sample_growth as sample_growth
    from chainrule.plots.heat import receptive_fields as receptive_fields
    from chainrule.plots.heat import surprisal_map as surprisal_map
    from chainrule.plots.heat import tail_map as tail_map
    from chainrule.plots.histogram import histograms as histograms
    from chainrule.plots.images import UNOBSERVED as UNOBSERVED
    from chainrule.plots.images import completions as completions
    from chainrule.plots.images import conditionals_figure as conditionals_figure
    from chainrule.plots.images import data_beside_samples as data_beside_samples
    from chainrule.plots.images import sample_grid as sample_grid
    from chainrule.plots.images import side_by_side as side_by_side
    from chainrule.plots.sound import spectrograms as spectrograms
    from chainrule.plots.surprise import Clip as Clip
    from chainrule.plots.surprise import surprise_over_time as surprise_over_time
    from chainrule.plots.tables import association_picture as association_picture
    from chainrule.plots.tables import chunks_picture as chunks_picture
    from chainrule.plots.tables import column_picture as column_picture

_HOMES = {
    "Clip": "chainrule.plots.surprise",
    "MOST_FORECASTS": "chainrule.plots.forecast",
    "Forecast": "chainrule.plots.forecast",
    "UNOBSERVED": "chainrule.plots.images",
    "association_picture": "chainrule.plots.tables",
    "cell_picture": "chainrule.plots.cells",
    "chunks_picture": "chainrule.plots.tables",
    "column_picture": "chainrule.plots.tables",
    "completions": "chainrule.plots.images",
    "conditionals_figure": "chainrule.plots.images",
    "data_beside_samples": "chainrule.plots.images",
    "forecast_picture": "chainrule.plots.forecast",
    "histograms": "chainrule.plots.histogram",
    "lines": "chainrule.plots.curves",
    "progressive_classes": "chainrule.plots.classes",
    "receptive_fields": "chainrule.plots.heat",
    "sample_grid": "chainrule.plots.images",
    "sample_growth": "chainrule.plots.growth",
    "side_by_side": "chainrule.plots.images",
    "spectrograms": "chainrule.plots.sound",
    "surprise_over_time": "chainrule.plots.surprise",
    "surprisal_map": "chainrule.plots.heat",
    "tail_map": "chainrule.plots.heat",
    "training_curve": "chainrule.plots.curves",
    "training_picture": "chainrule.plots.curves",
}

__all__ = ["FORMATS", *_HOMES]

__getattr__ = importer(__name__, _HOMES)
