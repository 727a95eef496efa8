"""Pictures are judged by the pixels that were written, not by having been written."""

import numpy as np
import pytest
import torch
from matplotlib.figure import Figure
from PIL import Image

from chainrule import plots
from chainrule.plots import curves, sound
from chainrule.plots.panels import MARGIN, MARKED, SEPARATOR, SEPARATOR_WIDTH, Label

FRAME = (SEPARATOR,) * 3


def read(path):
    return np.asarray(Image.open(path).convert("RGB"))


def panels(page):
    """The framed panels of a page, from left to right, each cut out exactly."""
    frame = (page == FRAME).all(-1)
    top = int(np.argmax(frame.sum(1) > 8))
    edges = np.flatnonzero(np.diff(np.concatenate([[0], frame[top], [0]])))
    found = []
    for left, right in edges.reshape(-1, 2):
        bottom = int(np.flatnonzero(frame[:, left])[-1]) + 1
        found.append(page[top:bottom, left:right])
    return found


def tiles(panel, rows, columns, height, width):
    """A panel's tiles at one pixel per variable; fails if a block is not of one colour."""
    gap = SEPARATOR_WIDTH
    factor = ((panel.shape[1] - gap) // columns - gap) // width
    assert panel.shape == (
        rows * (height * factor + gap) + gap,
        columns * (width * factor + gap) + gap,
        3,
    )
    found = []
    for row in range(rows):
        for column in range(columns):
            y, x = row * (height * factor + gap) + gap, column * (width * factor + gap) + gap
            tile = panel[y : y + height * factor, x : x + width * factor]
            blocks = tile.reshape(height, factor, width, factor, 3)
            assert (blocks == blocks[:, :1, :, :1]).all()
            found.append(blocks[:, 0, :, 0])
    return np.stack(found)


def binary(*shape, seed=0):
    return np.random.default_rng(seed).integers(0, 2, shape)


@pytest.mark.parametrize(("side", "count", "columns"), [(8, 6, 3), (28, 6, 2), (5, 64, 8), (3, 1, 1), (32, 100, 10)])
def test_sample_grid_holds_every_pixel_in_row_order(tmp_path, side, count, columns):
    images = binary(count, 1, side, side)
    plots.sample_grid(torch.tensor(images), tmp_path / "grid.png", columns=columns, title="samples $ of $ it")
    (panel,) = panels(read(tmp_path / "grid.png"))
    drawn = tiles(panel, count // columns, columns, side, side)
    assert (drawn == images[:, 0, :, :, None] * 255).all()


def test_sample_grid_draws_colours_and_levels(tmp_path):
    images = np.random.default_rng(0).integers(0, 256, (4, 3, 6, 5))
    plots.sample_grid(images, tmp_path / "grid.png", levels=256)
    (panel,) = panels(read(tmp_path / "grid.png"))
    assert (tiles(panel, 2, 2, 6, 5) == images.transpose(0, 2, 3, 1)).all()


def test_cells_without_an_example_stay_white(tmp_path):
    plots.sample_grid(np.zeros((3, 1, 4, 4)), tmp_path / "grid.png", columns=2)
    page = read(tmp_path / "grid.png")
    panel = page[MARGIN:-MARGIN, MARGIN:-MARGIN]
    assert [int(tile.min()) for tile in tiles(panel, 2, 2, 4, 4)] == [0, 0, 0, 255]


def test_vectors_are_square_images_or_the_rows_of_a_heat_map(tmp_path):
    square, other = binary(4, 9), binary(7, 10)
    plots.sample_grid(square, tmp_path / "square.png")
    plots.sample_grid(other, tmp_path / "other.png")
    (panel,) = panels(read(tmp_path / "square.png"))
    assert (tiles(panel, 2, 2, 3, 3)[..., 0] == square.reshape(4, 3, 3) * 255).all()
    (panel,) = panels(read(tmp_path / "other.png"))
    assert (tiles(panel, 1, 1, 7, 10)[0, ..., 0] == other * 255).all()


def test_conditionals_are_grey_levels_beside_the_samples(tmp_path):
    samples = torch.tensor(binary(4, 1, 8, 8), dtype=torch.float32)
    expectations = torch.rand(4, 1, 8, 8, generator=torch.Generator().manual_seed(0)).requires_grad_()
    plots.conditionals_figure(samples, expectations, tmp_path / "figure.png")
    left, right = panels(read(tmp_path / "figure.png"))
    assert (tiles(left, 2, 2, 8, 8)[..., 0] == samples[:, 0].numpy() * 255).all()
    grey = tiles(right, 2, 2, 8, 8)
    assert (grey == grey[..., :1]).all()
    assert np.abs(grey[..., 0] / 255 - expectations.detach()[:, 0].numpy()).max() <= 0.5 / 255 + 1e-6


def test_data_stand_left_of_samples(tmp_path):
    data, samples = binary(9, 1, 8, 8), binary(4, 1, 8, 8, seed=1)
    plots.data_beside_samples(data, samples, tmp_path / "figure.png")
    left, right = panels(read(tmp_path / "figure.png"))
    assert (tiles(left, 3, 3, 8, 8)[..., 0] == data[:, 0] * 255).all()
    assert (tiles(right, 2, 2, 8, 8)[..., 0] == samples[:, 0] * 255).all()


@pytest.mark.parametrize("draws", [None, 1, 3])
@pytest.mark.parametrize("each", [False, True])
def test_completions_mark_what_was_not_observed(tmp_path, draws, each):
    truth, observed = binary(2, 1, 8, 8), binary(2, 1, 8, 8, seed=1)
    if not each:
        observed[:] = observed[0]
    completed = binary(*([draws] if draws else []), 2, 1, 8, 8, seed=2)
    plots.completions(truth, observed if each else observed[0] > 0, completed, tmp_path / "figure.png")
    given, middle, right = panels(read(tmp_path / "figure.png"))
    expected = np.where(observed[:, 0, :, :, None] > 0, truth[:, 0, :, :, None] * 255, plots.UNOBSERVED)
    assert (tiles(given, 2, 1, 8, 8) == expected).all()
    by_example = completed.reshape(-1, 2, 8, 8).swapaxes(0, 1).reshape(-1, 8, 8)
    assert (tiles(middle, 2, draws or 1, 8, 8)[..., 0] == by_example * 255).all()
    assert (tiles(right, 2, 1, 8, 8)[..., 0] == truth[:, 0] * 255).all()


def test_completions_of_tables_are_heat_maps(tmp_path):
    truth, completed, observed = binary(5, 12), binary(2, 5, 12, seed=1), np.arange(12) < 7
    plots.completions(truth, observed, completed, tmp_path / "figure.png")
    given, middle, _ = panels(read(tmp_path / "figure.png"))
    marked = (tiles(given, 1, 1, 5, 12)[0] == plots.UNOBSERVED).all(-1)
    assert (marked == ~observed).all()
    assert (tiles(middle, 1, 2, 5, 12)[..., 0] == completed * 255).all()


def has_colour(page, colour):
    wanted = [int(colour[i : i + 2], 16) for i in (1, 3, 5)]
    return (page == wanted).all(-1).sum() > 20


@pytest.fixture
def drawn(monkeypatch):
    """The figures that a test draws, to ask for what can't be read from pixels."""
    figures = []
    savefig = Figure.savefig

    def remember(figure, *arguments, **options):
        figures.append(figure)
        return savefig(figure, *arguments, **options)

    monkeypatch.setattr(Figure, "savefig", remember)
    return figures


def test_training_curve_marks_the_best_epoch_and_cuts_huge_first_ones(tmp_path, drawn):
    valid = [9000.0, *(20 + 0.01 * (epoch - 30) ** 2 for epoch in range(2, 61))]
    history = [{"step": i + 1, "train_nats": nats - 1, "valid_nats": nats} for i, nats in enumerate(valid)]
    plots.training_curve(history, tmp_path / "curve.png")
    page = read(tmp_path / "curve.png")
    assert has_colour(page, curves.COLOURS[0])
    assert has_colour(page, curves.COLOURS[1])
    (axes,) = drawn[0].axes
    (best,) = [line for line in axes.lines if line.get_label().startswith("best")]
    assert (best.get_xdata()[0], best.get_ydata()[0]) == (30, 20)
    low, high = axes.get_ylim()
    assert low < 19
    assert valid[-1] < high < 60


@pytest.mark.parametrize(
    ("train", "valid", "lines"),
    [
        ([3.0, 2.0], [None, None], 1),
        ([None], [5.0], 2),
        ([float("nan"), 2.0, 1.0], [float("inf"), 4.0, 4.0], 3),
        ([2.0] * 20, [2.0] * 20, 3),
    ],
)
def test_training_curve_leaves_out_what_is_missing(tmp_path, drawn, train, valid, lines):
    rows = [{"step": i, "train_nats": t, "valid_nats": v} for i, (t, v) in enumerate(zip(train, valid, strict=True))]
    plots.training_curve(rows, tmp_path / "curve.png")
    assert len(drawn[0].axes[0].lines) == lines


@pytest.mark.parametrize("log", [False, True])
def test_lines_draw_every_series(tmp_path, drawn, log):
    series = {
        "steps": ([16, 64, 256], [1e-3, 4e-3, 2e-2]),
        "parallel": (np.array([16, 64]), torch.tensor([1e-4, 2e-4])),
    }
    plots.lines(series, tmp_path / "lines.png", x_label="n", y_label="seconds", log=log, title="cost")
    page = read(tmp_path / "lines.png")
    assert has_colour(page, curves.COLOURS[0])
    assert has_colour(page, curves.COLOURS[1])
    (axes,) = drawn[0].axes
    assert axes.get_xscale() == axes.get_yscale() == ("log" if log else "linear")
    assert [text.get_text() for text in axes.get_legend().get_texts()] == ["steps", "parallel"]


@pytest.mark.parametrize(
    ("suffix", "magic"), [(".png", b"\x89PNG"), (".pdf", b"%PDF"), (".svg", b"<?xml"), (".PNG", b"\x89P")]
)
def test_the_suffix_decides_the_format(tmp_path, suffix, magic):
    path = tmp_path / f"picture{suffix}"
    plots.sample_grid(binary(4, 1, 8, 8), path)
    assert path.read_bytes().startswith(magic)
    plots.training_curve([{"step": 0, "train_nats": 1.0, "valid_nats": 1.0}], path)
    assert path.read_bytes().startswith(magic)


IMAGES = np.zeros((2, 1, 4, 4))
POINTS = {"x_label": "x", "y_label": "y"}
HISTORY = [{"step": 1, "train_nats": 1.0, "valid_nats": 1.0}]


@pytest.mark.parametrize(
    ("draw", "message"),
    [
        (
            lambda path: plots.sample_grid(IMAGES, path.with_suffix(".bmp")),
            r"expects .*\.png, \.pdf, \.svg, got 'p.bmp'",
        ),
        (lambda path: plots.training_curve(HISTORY, path.with_suffix("")), r"expects .*, got 'p'"),
        (lambda path: plots.lines({"a": ([1], [1])}, path.with_suffix(".xyz"), **POINTS), "got 'p.xyz'"),
        (lambda path: plots.sample_grid(np.zeros((2, 2, 4, 4)), path), r"images expects .*, got \(2, 2, 4, 4\)"),
        (lambda path: plots.sample_grid(np.zeros(4), path), r"images expects .*, got \(4,\)"),
        (lambda path: plots.sample_grid(np.zeros((0, 1, 4, 4)), path), r"images expects .*, got \(0, 1, 4, 4\)"),
        (lambda path: plots.sample_grid(IMAGES + 2, path), "images expects values from 0 to 1, got 2 to 2"),
        (lambda path: plots.sample_grid(IMAGES - 1, path, levels=256), "expects values from 0 to 255, got -1 to -1"),
        (lambda path: plots.sample_grid(IMAGES * np.nan, path), "expects values from 0 to 1, got nan"),
        (lambda path: plots.sample_grid(IMAGES, path, columns=0), "columns expects at least 1, got 0"),
        (lambda path: plots.sample_grid(IMAGES, path, levels=1), "levels expects at least 2, got 1"),
        (
            lambda path: plots.conditionals_figure(IMAGES, IMAGES[:1], path),
            r"expectations expects .*, got \(1, 1, 4, 4\)",
        ),
        (lambda path: plots.data_beside_samples(IMAGES, IMAGES[..., :3], path), r"samples expects .*, got \(1, 4, 3\)"),
        (lambda path: plots.completions(IMAGES, IMAGES[0, 0], IMAGES, path), r"observed expects .*, got \(4, 4\)"),
        (
            lambda path: plots.completions(IMAGES, IMAGES[0], IMAGES[:1], path),
            r"completed expects .*, got \(1, 1, 4, 4\)",
        ),
        (lambda path: plots.training_curve([], path), "history expects .*, got 0 validations"),
        (
            lambda path: plots.training_curve([{"step": 1, "train_nats": None}], path),
            "got 1 validations without a finite one",
        ),
        (lambda path: plots.lines({}, path, **POINTS), "at least one line, got none"),
        (
            lambda path: plots.lines({"a": ([1, 2], [1])}, path, **POINTS),
            r"'a' expects .*, got shapes \(2,\) and \(1,\)",
        ),
        (lambda path: plots.lines({"a": ([0], [1])}, path, log=True, **POINTS), "'a' expects positive finite numbers"),
    ],
)
def test_bad_input_says_what_was_expected_and_writes_nothing(tmp_path, draw, message):
    with pytest.raises(ValueError, match=message) as error:
        draw(tmp_path / "p.png")
    assert "\n" not in str(error.value)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("broken", ["matplotlib.figure.Figure.savefig", "os.replace"])
def test_a_failed_write_leaves_the_old_picture_and_nothing_else(tmp_path, monkeypatch, broken):
    path = tmp_path / "grid.png"
    plots.sample_grid(IMAGES, path)
    before = path.read_bytes()

    def fail(*_, **__):
        raise OSError("disk full")

    monkeypatch.setattr(broken, fail)
    with pytest.raises(OSError, match="disk full"):
        plots.sample_grid(IMAGES + 1, path)
    assert [entry.name for entry in tmp_path.iterdir()] == ["grid.png"]
    assert path.read_bytes() == before


def test_spectrograms_are_brightest_at_the_frequency_of_a_tone(tmp_path):
    seconds = np.arange(4000) / 8000
    tones = {"low": [np.sin(2 * np.pi * 500 * seconds)], "high": [np.sin(2 * np.pi * 3000 * seconds)]}
    path = tmp_path / "tones.png"
    plots.spectrograms(tones, path, sample_rate=8000, titles=["a tone"])
    assert read(path).std() > 10
    decibels = [sound._decibels(own[0], 8000).mean(1) for own in tones.values()]
    peaks = [int(strength.argmax()) * 4000 / (len(strength) - 1) for strength in decibels]
    assert peaks == pytest.approx([500, 3000], abs=40)


def test_spectrograms_refuse_groups_of_several_sizes(tmp_path):
    with pytest.raises(ValueError, match=r"as many recordings in each, got \[1, 2\]"):
        plots.spectrograms({"a": [[0.0]], "b": [[0.0], [0.0]]}, tmp_path / "x.png", sample_rate=8000)


def test_columns_stand_side_by_side(tmp_path):
    path = tmp_path / "x.png"
    groups = {"clean": np.arange(4).reshape(2, 1, 1, 2), "attacked": np.full((2, 1, 1, 2), 3)}
    plots.side_by_side(groups, path, levels=4)
    left, right = panels(read(path))
    assert [tile[..., 0].tolist() for tile in tiles(left, 2, 1, 1, 2)] == [[[0, 85]], [[170, 255]]]
    assert all((tile == 255).all() for tile in tiles(right, 2, 1, 1, 2))
    with pytest.raises(ValueError, match="groups expects one shape"):
        plots.side_by_side({"a": np.zeros((2, 1, 1, 2)), "b": np.zeros((1, 1, 1, 2))}, path)


def test_rows_and_tiles_have_names(tmp_path, drawn):
    path = tmp_path / "x.png"
    groups = {"clean": np.zeros((2, 1, 4, 4)), "attacked": np.ones((2, 1, 4, 4))}
    labels = {"attacked": [Label("cat"), Label("a very long name of a class", marked=True)]}
    plots.side_by_side(groups, path, rows=["image 3\ncat", "image 7\ndog"], labels=labels)
    texts = {text.get_text(): text for text in drawn[-1].texts}
    assert set(texts) == {"clean", "attacked", "image 3\ncat", "image 7\ndog", "cat", "a very long name of a class"}
    assert texts["a very long name of a class"].get_color() == MARKED != texts["cat"].get_color()
    boxes = {name: text.get_window_extent() for name, text in texts.items()}
    assert boxes["image 3\ncat"].y0 > boxes["image 7\ndog"].y1
    assert boxes["image 3\ncat"].x1 < boxes["cat"].x0
    assert boxes["cat"].y0 > boxes["a very long name of a class"].y1
    page = read(path)
    assert boxes["a very long name of a class"].x1 < page.shape[1]
    # Nothing but white and its own colour lies where a label is.
    box = boxes["cat"]
    around = page[page.shape[0] - int(box.y1) : page.shape[0] - int(box.y0), int(box.x0) : int(box.x1)]
    assert not (around == FRAME).all(-1).any()
    with pytest.raises(ValueError, match="rows expects 2, one for each example, got 1"):
        plots.side_by_side(groups, path, rows=["one"])
    with pytest.raises(ValueError, match="labels of attacked expects 2, one for each example, got 1"):
        plots.side_by_side(groups, path, labels={"attacked": [Label("one")]})


def test_histograms_show_shares(tmp_path, drawn):
    groups = {"few": [0.0, 0.0, 0.0, 1.0], "many": np.repeat([0.0, 1.0], 500)}
    plots.histograms(groups, tmp_path / "x.png", x_label="nats")
    (axes,) = drawn[-1].axes
    assert axes.get_xlabel() == "nats"
    tops = {patch.get_label(): patch.get_data().values for patch in axes.patches if patch.get_label() in groups}
    assert [tops["few"][0], tops["few"][-1]] == [0.75, 0.25]
    assert [tops["many"][0], tops["many"][-1]] == [0.5, 0.5]
    for numbers in ([], [float("nan")]):
        with pytest.raises(ValueError, match="expects finite numbers"):
            plots.histograms({"x": numbers}, tmp_path / "x.png", x_label="nats")
