"""Cards: what terminals and notebooks show of models, data sets, fits, runs and what tasks give."""

from __future__ import annotations

import base64
import re
from html.parser import HTMLParser
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import polars
import pytest
import torch
from PIL import Image

import chainrule
from chainrule import runs
from chainrule.card import Card, Shown
from chainrule.conditionals import Bernoulli, Categorical
from chainrule.data import load
from chainrule.models import MADE, RNN, Autoencoder, Ensemble


class Page(HTMLParser):
    """Collects the text of a page and its pictures, and fails where elements do not nest."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.open, self.text, self.pictures = list[str](), list[str](), list[Image.Image]()
        self.feed(html)
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag == "img":
            given = dict(attrs)
            assert given["alt"]
            content = base64.b64decode((given["src"] or "").removeprefix("data:image/png;base64,"))
            self.pictures.append(Image.open(BytesIO(content)))
        else:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text.append(data)


def shown(thing: Any) -> Page:
    html = thing._repr_html_()
    assert "<script" not in html
    assert len(html) < 200_000
    return Page(html)


def made(**arguments: Any) -> MADE:
    return MADE(**{"event_shape": (1, 8, 8), "conditional": Bernoulli(), "hidden_sizes": [20]} | arguments)


def test_a_card_is_escaped() -> None:
    card = Card("<b>&", {"<i>": "<script>", "none": None})
    assert Page(card.html()).text == ["<b>&", "<i>", "<script>"]
    assert "none" not in str(card)


def test_a_subclass_says_its_facts_only() -> None:
    class Coin(Shown):
        def _card(self) -> Card:
            return Card("Coin", {"sides": 2})

    assert repr(Coin()) == "Coin\n  sides  2"
    assert shown(Coin()).text == ["Coin", "sides", "2"]


@pytest.mark.parametrize(
    "model",
    [
        made(),
        made(num_classes=3),
        Autoencoder(event_shape=(4,), conditional=Bernoulli()),
        Ensemble(models=[made(), made()]),
        RNN(event_shape=(9,), conditional=Categorical(3), hidden_size=4),
    ],
    ids=lambda model: type(model).__name__,
)
def test_models(model: Any) -> None:
    text = shown(model).text
    assert text[0] == f"{type(model).__name__} of {model.num_variables} variables"
    assert f"{model.num_parameters:,}" in text
    assert ("classes" in text) == (model.num_classes is not None)


def test_an_image_set_shows_its_first_images() -> None:
    digits = load("digits")
    page = shown(digits)
    assert "1,439 train, 179 valid, 179 test" in page.text
    (sheet,) = page.pictures
    first = digits.train[:8].numpy()[:, 0]
    levels = np.asarray(sheet)[::7, ::7]
    assert sheet.size == (8 * 56, 56)
    assert np.array_equal(levels, np.concatenate(list(first), axis=1) * 255)
    assert len(repr(digits).splitlines()) == 6


def test_a_table_shows_its_first_rows(tmp_path: Path) -> None:
    path = tmp_path / "people.csv"
    polars.DataFrame({"age": [20.5 + i % 7 for i in range(60)], "town": ["Ulm", "Bonn & Co"] * 30}).write_csv(path)
    page = shown(load(str(path)))
    assert "age" in page.text
    assert "town" in page.text
    assert any("Bonn & Co" in text for text in page.text)


def test_a_text_shows_its_beginning(tmp_path: Path) -> None:
    path = tmp_path / "text.txt"
    path.write_text("a < b & c\n" * 100)
    assert any("a < b & c\na < b" in text for text in shown(load(str(path))).text)


def test_other_kinds_show_their_facts(table: Path) -> None:
    page = shown(load(str(table)))
    assert page.pictures == []
    assert "rows" in page.text


def test_a_fit_shows_its_curve() -> None:
    bits = torch.randint(2, (60, 5), generator=torch.Generator().manual_seed(0)).float()
    model = made(event_shape=(5,))
    fit = chainrule.fit(model, bits[:40], bits[40:], max_epochs=2, verbose=False)
    assert len(shown(fit).pictures) == 1
    assert f"{fit.best_nats:.3f}" in repr(fit)
    assert len(repr(fit).splitlines()) == 6


def test_runs_show_their_pictures(digits_run: Path) -> None:
    opened = runs.open_run(digits_run)
    page = shown(opened)
    assert len(page.pictures) == 2
    done = chainrule.fit("digits", model="MADE", out=digits_run, resume=True, verbose=False)
    assert len(shown(done).pictures) == 2
    assert any("validation NLL" in text for text in shown(done).text)
    for run in (opened, done):
        assert "MADE of 64 variables, Bernoulli()" in repr(run)
        assert len(repr(run)) < 1000


def test_a_plan_is_its_words() -> None:
    planned = chainrule.plan("digits", minutes=0.1)
    assert repr(planned) == str(planned) == "".join(shown(planned).text)


def test_what_tasks_give() -> None:
    model, x = made(), load("digits").test[:4]
    known = torch.zeros(1, 8, 8, dtype=torch.bool)
    known[:, :4] = True
    exact = chainrule.completion(model, x, known, seed=0)
    assert "known variables come first" in repr(exact)
    assert "effective" not in repr(exact)
    walked = chainrule.completion(model, x, ~known, particles=4, seed=0)
    assert walked.effective_sample_size is not None
    assert re.search(r"effective sample size along a walk, median +\d\.\d{3}$", repr(walked))
    assert len(repr(walked)) < 500
    evaluation = chainrule.evaluate(model, x)
    assert str(evaluation) in shown(evaluation).text
    assert "parameters" in shown(chainrule.describe(model)).text
    shown(walked)
