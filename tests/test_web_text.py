"""The scene of text: what it tells the page of a text, and how it goes on."""

import math
import re
import shlex
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from asking import all_of, as_file, asked, of, refusals
from web_client import served

from chainrule.cli import main
from chainrule.models import MADE
from chainrule.runs.opened import open_run
from chainrule.tasks.sample import sample
from chainrule.web.link import Link, Stopped
from chainrule.web.scene import Scene
from chainrule.web.scenes import scene_of
from chainrule.web.scenes.text import TextScene
from chainrule.web.turns import Turns

pytestmark = pytest.mark.quick

SMALL = ["--model", "RNN", "--model.cell", "gru", "--model.hidden_size", "8", "--max_epochs", "1"]
SONG = "row, row, row your boat\ngently down the stream\nçà et là\n"


@pytest.fixture(scope="module")
def scenes(tmp_path_factory: pytest.TempPathFactory) -> dict[str, TextScene]:
    """Runs on a stream, on its bytes, on its lines, on whole files, and of a model of one length."""
    folder = tmp_path_factory.mktemp("page")
    (folder / "song.txt").write_text(SONG * 20)
    (folder / "songs").mkdir()
    for i in range(12):
        (folder / "songs" / f"{i}.txt").write_text(SONG * (1 + i % 3))
    song, songs = ["--data", str(folder / "song.txt")], ["--data", str(folder / "songs")]
    fits = {
        "stream": [*SMALL, *song, "--window", "16"],
        "bytes": [*SMALL, *song, "--window", "16", "--vocabulary", "bytes"],
        "lines": [*SMALL, *song, "--documents", "true"],
        "files": [*SMALL, *songs, "--per-file", "true"],
        "fixed": ["--model", "MADE", "--max_epochs", "1", *song, "--window", "16"],
    }
    opened = {}
    for name, options in fits.items():
        assert main(["fit", *options, "--out", str(folder / name)]) == 0
        scene = scene_of(open_run(folder / name, device="cpu"))
        assert isinstance(scene, TextScene)
        opened[name] = scene
    return opened


@pytest.fixture(params=["stream", "bytes", "lines", "files", "fixed"])
def scene(request: pytest.FixtureRequest, scenes: dict[str, TextScene]) -> TextScene:
    return scenes[request.param]


def texts(scene: Scene, events: list[Any]) -> str:
    names = scene.about()["symbols"]
    return "".join(names[step["symbol"]] for step in all_of(events, "grown"))


def run_of(command: str, capsys: pytest.CaptureFixture[str]) -> str:
    """What a command that the page shows prints."""
    capsys.readouterr()
    assert main(shlex.split(command)[1:]) == 0
    return capsys.readouterr().out


def test_surprisals_of_a_prompt_are_those_of_the_model(scene: TextScene) -> None:
    prompt = "gently"
    events = asked(scene, "read", text=prompt)
    chunks = [event["read"] for event in events if "read" in event]
    assert "".join(text for chunk in chunks for text in chunk["texts"]) == prompt
    nats = torch.tensor([each for chunk in chunks for each in chunk["nats"]])
    x = torch.zeros(1, max(len(prompt), 16 if scene.model.num_variables == 16 else 0))
    x[0, : len(prompt)] = torch.tensor([symbol for chunk in chunks for symbol in chunk["symbols"]])
    with torch.no_grad():
        expected = -scene.model(x).log_prob(x)[0, : len(prompt)]
    assert torch.allclose(nats, expected, rtol=1e-3)
    assert of(events, "total")["nats"] == pytest.approx(float(expected.sum()), rel=1e-4)


def test_the_next_symbols_have_their_probabilities(scene: TextScene) -> None:
    expected = of(asked(scene, "read", text="gen"), "next")
    assert expected["p"] == sorted(expected["p"], reverse=True)
    symbols = scene.vocabulary.encode("gen")
    model, state, previous = scene.model, scene.model.start(1), None
    with torch.no_grad():
        for symbol in [*symbols, None]:
            conditional, state = model.step(state, previous)
            previous = None if symbol is None else torch.tensor([float(symbol)])
    p = model.conditional.log_probs(conditional)[0].exp()
    assert expected["p"] == pytest.approx(p[expected["symbols"]].tolist(), rel=1e-3)
    assert expected == of(asked(scene, "next", text="gen"), "next")
    assert expected["entropy"] == pytest.approx(float(torch.special.entr(p).sum()), rel=1e-3)
    assert 0 < expected["entropy"] <= math.log(len(p))


def test_changed_probabilities_are_told_beside_them(scenes: dict[str, TextScene]) -> None:
    scene = scenes["stream"]
    expected = of(asked(scene, "read", text="row", temperature=0.5, top_k=3), "next")
    pairs = zip(expected["symbols"], expected["p"], expected["drawn"], strict=True)
    shown = [(p, drawn) for symbol, p, drawn in pairs if symbol != scene.vocabulary.unknown]  # which is never drawn
    squared = [p**2 for p, _ in shown[:3]]
    assert [drawn for _, drawn in shown[:3]] == pytest.approx([p / sum(squared) for p in squared], rel=1e-2)
    assert {drawn for _, drawn in shown[3:]} == {0}
    greedy = of(asked(scene, "read", text="row", greedy=True), "next")
    assert sum(greedy["drawn"]) == 1


@pytest.mark.parametrize("settings", [{}, {"temperature": 0.7, "top_k": 4}, {"greedy": True}, {"top_p": 0.8}])
def test_a_text_goes_on_as_the_command_that_is_shown_makes_it(
    scene: TextScene, capsys: pytest.CaptureFixture[str], settings: dict[str, Any]
) -> None:
    events = asked(scene, "grow", text="gen", seed=3, length=9, **settings)
    steps = all_of(events, "grown")
    ended = of(events, "ended")
    assert len(steps) == 9 or ended == "end"
    printed = run_of(of(events, "command"), capsys).removesuffix("\n")
    grown = bytes(step["symbol"] for step in steps) if scene.vocabulary.unit == "byte" else None
    shown = texts(scene, events) if grown is None else grown.decode(errors="replace")
    length = None if scene.model.any_length else 3 + 9  # the command has no --length there: it draws all of an event
    assert printed[:length] == "gen" + (shown[:-1] if ended == "end" else shown)


def test_each_symbol_comes_with_what_was_expected(scenes: dict[str, TextScene]) -> None:
    steps = all_of(asked(scenes["stream"], "grow", text="row", seed=1, length=20), "grown")
    for step in steps:
        if step["symbol"] in step["expected"]["symbols"]:
            p = step["expected"]["p"][step["expected"]["symbols"].index(step["symbol"])]
            assert math.exp(-step["nats"]) == pytest.approx(p, rel=1e-2)


def test_an_alternative_goes_on_from_its_place(
    scenes: dict[str, TextScene], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    scene = scenes["bytes"]
    drawn = [step["symbol"] for step in all_of(asked(scene, "grow", text="row", seed=1, length=9), "grown")]
    changed = [*b"row", *drawn[:4], 0xC3]  # half of a character is a beginning, too
    events = asked(scene, "grow", symbols=changed, seed=2, length=5)
    found = [step["symbol"] for step in all_of(events, "grown")]
    x = sample(scene.model, 1, seed=2, prefix=torch.tensor(changed).float(), length=5)
    assert x[0, len(changed) :].tolist() == found
    command = of(events, "command")
    assert "--prompt-file prompt.txt" in command
    (tmp_path / "prompt.txt").write_bytes(bytes(changed))  # as the page saves it
    printed = run_of(command.replace("prompt.txt", str(tmp_path / "prompt.txt")), capsys)
    assert printed.removesuffix("\n") == bytes([*changed, *found]).decode(errors="replace").rstrip("\ufffd")


def test_lines_are_documents_of_their_own(scenes: dict[str, TextScene], capsys: pytest.CaptureFixture[str]) -> None:
    scene = scenes["lines"]
    own = of(asked(scene, "read", text="gently\n"), "total")
    both = of(asked(scene, "read", text="row\ngently\n"), "total")
    first = of(asked(scene, "read", text="row\n"), "total")
    assert both["nats"] == pytest.approx(own["nats"] + first["nats"])
    events = asked(scene, "grow", text="row\ngen", seed=3, length=30)
    assert "--prompt=gen " in of(events, "command")
    assert run_of(of(events, "command"), capsys).startswith("gen")


def test_documents_end(scenes: dict[str, TextScene]) -> None:
    scene = scenes["lines"]
    events = asked(scene, "grow", text="", seed=0, length=500)
    assert of(events, "ended") == "end"
    assert all_of(events, "grown")[-1]["symbol"] == scene.end


def test_a_text_stops_at_a_text(scenes: dict[str, TextScene], capsys: pytest.CaptureFixture[str]) -> None:
    scene = scenes["stream"]
    stop = texts(scene, asked(scene, "grow", text="row", seed=3, length=40))[5:7]
    events = asked(scene, "grow", text="row", seed=3, length=40, stop=stop)
    assert of(events, "ended") == "stop"
    assert texts(scene, events).endswith(stop)
    assert "row" + texts(scene, events).removesuffix(stop) + "\n" == run_of(of(events, "command"), capsys)


@pytest.mark.parametrize("encoding", ["utf-8", "utf-16", "utf-8-sig"])
def test_a_file_is_read_as_the_run_reads_files(scenes: dict[str, TextScene], encoding: str) -> None:
    events = asked(scenes["stream"], "read", file=as_file("çà\nrow".encode(encoding)), name="mine.txt")
    assert [text for event in events for text in event.get("read", {}).get("texts", [])] == list("çà\nrow")


def test_a_file_that_is_no_text_is_refused_by_its_name(scenes: dict[str, TextScene]) -> None:
    with pytest.raises(ValueError, match=r"^mine\.txt: expected UTF-8, got an invalid byte at offset 1"):
        asked(scenes["stream"], "read", file=as_file(b"r\xe7"), name="mine.txt")
    events = asked(scenes["bytes"], "read", file=as_file(b"r\xe7"), name="../../mine.txt")
    assert [text for event in events for text in event.get("read", {}).get("texts", [])] == ["r", "\\xe7"]


def test_a_long_file_is_cut_and_says_so(scenes: dict[str, TextScene], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("chainrule.web.scenes.text.LONGEST", 30)
    total = of(asked(scenes["stream"], "read", file=as_file(SONG.encode()), name="song.txt"), "total")
    assert (total["count"], total["cut"]) == (30, True)


def test_new_characters_are_read_and_not_gone_on_from(scenes: dict[str, TextScene]) -> None:
    scene = scenes["stream"]
    events = asked(scene, "read", text="row™")
    assert of(events, "total")["note"] == "1 characters are new to the model, and read as one unknown symbol"
    assert [text for event in events for text in event.get("read", {}).get("texts", [])] == list("row™")
    with pytest.raises(ValueError, match="got a new one at place 4: change it"):
        asked(scene, "grow", text="row™", length=5)


@pytest.mark.parametrize(
    ("request_", "words"),
    [
        ({"text": 3}, "text expects text"),
        ({"symbols": "row"}, "symbols expects a list of at most 20000 integers, got 'row'"),
        ({"symbols": [0, 99]}, "symbols expects integers from 0 to"),
        ({"symbols": [True]}, "symbols expects integers"),
        ({"file": "*"}, "file expects base64, got something else"),
        ({"text": "row", "length": 0}, "length expects an integer from 1 to 5000, got 0"),
        ({"text": "row", "temperature": 0}, "temperature expects a number"),
        ({"text": "row", "stop": "™"}, "expected characters of the training text"),
        ({"text": "\ud800"}, "expected characters that the model knows"),
    ],
)
def test_wrong_requests_are_refused(scenes: dict[str, TextScene], request_: dict[str, Any], words: str) -> None:
    with pytest.raises(ValueError, match=f"^{re.escape(words)}"):
        asked(scenes["stream"], "grow", **request_)


def test_a_model_of_one_length_has_an_end(scenes: dict[str, TextScene]) -> None:
    scene = scenes["fixed"]
    assert scene.about()["longest"] == 16
    assert len(all_of(asked(scene, "grow", text="gently", seed=0, length=50), "grown")) == 10
    for action in ("read", "next"):
        assert not any("next" in event for event in asked(scene, action, text="gently down the "))
    with pytest.raises(ValueError, match="text expects at most 16 characters, got 17"):
        asked(scene, "read", text="gently down the s")
    with pytest.raises(ValueError, match="expected a text of fewer than 16 characters"):
        asked(scene, "grow", text="gently down the ")


def test_a_model_of_another_order_has_no_scene(scenes: dict[str, TextScene]) -> None:
    run = scenes["fixed"].run
    backwards = MADE(event_shape=(16,), conditional=run.likelihood.conditional, order="reversed")
    with pytest.raises(ValueError, match="show expects a model that reads text in its own order, got another"):
        scene_of(replace(run, model=backwards))


def test_texts_that_grow_at_once_are_those_that_grow_alone(scenes: dict[str, TextScene]) -> None:
    own = [scenes["stream"], scenes["bytes"]]
    wanted = [(run, seed) for seed in range(3) for run in (0, 1)]
    with served([scene.run.folder for scene in own]) as client, ThreadPoolExecutor(6) as pool:
        answers = list(pool.map(lambda each: client.events("grow", {"seed": each[1], "length": 60}, each[0]), wanted))
    for (run, seed), events in zip(wanted, answers, strict=True):
        x = sample(own[run].model, 1, seed=seed, length=60, undrawn=own[run].kind.undrawn)[0]
        assert [step["symbol"] for step in all_of(events, "grown")] == x.long().tolist()


def test_a_walk_stops_when_the_page_is_gone(scenes: dict[str, TextScene]) -> None:
    events: list[Any] = []
    link = Link(events.append, Turns())

    def gone() -> None:
        for event in scenes["stream"].actions["grow"]({"text": "row", "length": 5000}, link):
            events.append(event)
            link.leave()

    with pytest.raises(Stopped):
        gone()
    assert len(all_of(events, "grown")) < 100


@pytest.mark.parametrize("name", ["stream", "bytes", "lines", "fixed"])
def test_requests_that_no_page_sends_are_refused_in_words(scenes: dict[str, TextScene], name: str) -> None:
    drawing = {"seed": 1, "temperature": 0.5, "top_k": 3, "top_p": 0.5, "greedy": False, "label": None}
    requests = {
        "read": {"text": "row", **({"file": "cm93", "name": "a.txt"} if name == "bytes" else {}), **drawing},
        "next": {"symbols": [0, 1], **drawing},
        "grow": {"symbols": [0, 1], "length": 5, "stop": "ro", **drawing},
    }
    assert len(refusals(scenes[name], requests, 100)) > 30
