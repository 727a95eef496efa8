"""Every picture: curves of training, samples, conditionals, surprisal, receptive fields, classes, sound, tables.

Pictures of images are exact: a variable is a square block of whole pixels of one colour, 0 is black
and ``levels - 1`` is white. Images are ``(N, channels, height, width)`` or ``(N, height, width)``;
examples ``(N, n)`` are plotted as square images if n is a square, else as the rows of one heat map.
Every function writes one file, completely or not at all, in the format of its suffix; those of tables give the content
of a ``.png`` file, which a page may hold.
"""

from chainrule.plots.cells import cell_picture
from chainrule.plots.classes import progressive_classes
from chainrule.plots.curves import lines, training_curve
from chainrule.plots.file import FORMATS
from chainrule.plots.heat import receptive_fields, surprisal_map, tail_map
from chainrule.plots.histograms import histograms
from chainrule.plots.images import (
    UNOBSERVED,
    completions,
    conditionals_figure,
    data_beside_samples,
    sample_grid,
    side_by_side,
)
from chainrule.plots.sound import spectrograms
from chainrule.plots.tables import association_picture, chunks_picture, column_picture

__all__ = [
    "FORMATS",
    "UNOBSERVED",
    "association_picture",
    "cell_picture",
    "chunks_picture",
    "column_picture",
    "completions",
    "conditionals_figure",
    "data_beside_samples",
    "histograms",
    "lines",
    "progressive_classes",
    "receptive_fields",
    "sample_grid",
    "side_by_side",
    "spectrograms",
    "surprisal_map",
    "tail_map",
    "training_curve",
]
