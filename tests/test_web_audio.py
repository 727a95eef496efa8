"""The scene of recordings: what it tells the page of a recording, and how it goes on."""

import base64
import io
import math
import re
import shlex
import sys
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
import torch
from asking import all_of, as_file, asked, of, refusals
from command_line import refused
from numpy.typing import NDArray
from web_client import served

from chainrule.cli import main
from chainrule.data.frames import FrameFormat
from chainrule.kinds.audio import AudioKind
from chainrule.runs.opened import open_run
from chainrule.tasks.sample import sample
from chainrule.tasks.score import surprisals
from chainrule.web.link import Link, Stopped
from chainrule.web.scenes import scene_of
from chainrule.web.scenes.audio import AudioScene
from chainrule.web.turns import Turns

pytestmark = pytest.mark.quick

RATE = 8000
FITS = {
    "wavenet": ["--model", "WaveNet", "--model.layers", "4", "--model.residual_channels", "8", "--levels", "64"],
    "rnn": ["--model", "RNN", "--model.cell", "gru", "--model.hidden_size", "8", "--levels", "32"],
    "classes": ["--model", "WaveNet", "--model.layers", "3", "--model.num_classes", "2", "--levels", "16"],
    "linear": [
        *("--model", "WaveNet", "--model.layers", "3", "--levels", "65536"),
        *("--conditional", "DiscretizedLogisticMixture"),
    ],
}


def tone(count: int, frequency: float = 440.0) -> NDArray[np.float64]:
    return 0.5 * np.sin(2 * np.pi * frequency * np.arange(count) / RATE)


def sound(samples: NDArray[np.float64], rate: int = RATE, form: str = "WAV") -> bytes:
    buffer = io.BytesIO()
    soundfile.write(buffer, samples, rate, format=form)
    return buffer.getvalue()


@pytest.fixture(scope="module")
def scenes(tmp_path_factory: pytest.TempPathFactory) -> dict[str, AudioScene]:
    folder = tmp_path_factory.mktemp("sounds")
    for i in range(12):
        (folder / "sounds" / "ab"[i % 2]).mkdir(parents=True, exist_ok=True)
        (folder / "sounds" / "ab"[i % 2] / f"{i}.wav").write_bytes(sound(tone(100 + 10 * i, 200 + 50 * i)))
    opened = {}
    for name, options in FITS.items():
        out = folder / name
        arguments = ["--data", str(folder / "sounds"), "--window", "50", "--max-epochs", "1", "--out", str(out)]
        assert main(["fit", *options, *arguments]) == 0
        scene = scene_of(open_run(out, device="cpu"))
        assert isinstance(scene, AudioScene)
        opened[name] = scene
    return opened


@pytest.fixture(params=list(FITS))
def scene(request: pytest.FixtureRequest, scenes: dict[str, AudioScene]) -> AudioScene:
    return scenes[request.param]


def label_of(scene: AudioScene) -> int | None:
    return None if scene.model.num_classes is None else 1


def levels_of(text: str) -> NDArray[np.int64]:
    return np.frombuffer(base64.b64decode(text), "<u2").astype(np.int64)


def grown(events: list[Any]) -> NDArray[np.int64]:
    return np.concatenate([levels_of(event["grown"]["levels"]) for event in events if "grown" in event])


def file_of(command: str, folder: Path, known: bytes | None = None) -> NDArray[np.float64]:
    """The samples of the file that a command writes which the page shows."""
    words = shlex.split(command)[1:]
    if known is not None:
        (folder / "recording.wav").write_bytes(known)
        words[words.index("recording.wav")] = str(folder / "recording.wav")
    at = words.index("--out") + 1
    words[at] = str(folder / words[at])
    assert main(words) == 0
    found = folder / "sample.wav"
    if known is not None:
        (found,) = (folder / "continued").glob("*-completed-1.wav")
    return soundfile.read(found)[0]


def test_surprisals_of_a_file_are_those_of_the_model(scene: AudioScene) -> None:
    content = sound(tone(1200))
    events = asked(scene, "read", file=as_file(content), name="take.wav", label=label_of(scene))
    levels = scene.format.encode(soundfile.read(io.BytesIO(content))[0])
    assert (levels_of(of(events, "levels")) == levels).all()
    context = None if scene.model.num_classes is None else torch.tensor([1])
    nats = surprisals(scene.model, torch.from_numpy(levels.astype(np.float32))[None], context)[0]
    assert all_of(events, "read") == pytest.approx(nats.tolist(), rel=1e-3, abs=1e-3)
    assert of(events, "total") == {"count": 1200, "nats": pytest.approx(float(nats.sum()), rel=1e-4)}


def test_the_next_sample_has_its_distribution(scene: AudioScene) -> None:
    levels = scene.format.encode(tone(300))
    known = as_file(levels.astype("<u2").tobytes())
    expected = of(asked(scene, "next", levels=known, label=label_of(scene)), "next")
    context = None if scene.model.num_classes is None else torch.tensor([1])
    x = torch.from_numpy(np.append(levels, 0).astype(np.float32))[None]
    with torch.no_grad():
        log_probs = scene.model.conditional.log_probs(scene.model(x, context))[0, -1]
    p = log_probs.exp().view(-1, scene.about()["per_bar"]).sum(1)
    assert expected["p"] == pytest.approx(p.tolist(), rel=5e-3, abs=1e-6)
    assert sum(expected["p"]) == pytest.approx(1, abs=1e-2)
    assert 0 < expected["entropy"] <= math.log(scene.format.levels) + 1e-3


@pytest.mark.parametrize("settings", [{}, {"temperature": 0.7, "top_k": 4}, {"greedy": True}])
def test_samples_grow_as_the_command_that_is_shown_makes_them(
    scenes: dict[str, AudioScene], tmp_path: Path, settings: dict[str, Any]
) -> None:
    for name in ("wavenet", "rnn", "classes"):
        events = asked(scenes[name], "grow", levels="", seed=3, length=600, **settings)
        x = grown(events)
        assert len(x) == 600
        written = file_of(of(events, "command"), tmp_path)
        assert (scenes[name].format.encode(written) == x).all()


@pytest.mark.parametrize("settings", [{}, {"top_k": 3}])
def test_a_recording_goes_on_as_the_command_that_is_shown_makes_it(
    scenes: dict[str, AudioScene], tmp_path: Path, settings: dict[str, Any]
) -> None:
    for name in ("wavenet", "classes"):
        scene, content = scenes[name], sound(tone(1100))
        known = of(asked(scene, "read", file=as_file(content), name="take.wav", label=label_of(scene)), "levels")
        events = asked(scene, "grow", levels=known, seed=5, length=40, label=label_of(scene), **settings)
        (tmp_path / name).mkdir()
        written = file_of(of(events, "command"), tmp_path / name, content)
        assert (scene.format.encode(written) == np.concatenate([levels_of(known), grown(events)])).all()


def test_drawn_samples_come_with_their_surprisal(scenes: dict[str, AudioScene]) -> None:
    for name in ("wavenet", "rnn", "linear"):
        events = asked(scenes[name], "grow", levels="", seed=0, length=50)
        nats = [each for event in events if "grown" in event for each in event["grown"]["nats"]]
        x = torch.from_numpy(grown(events).astype(np.float32))[None]
        assert nats == pytest.approx(surprisals(scenes[name].model, x)[0].tolist(), rel=1e-2, abs=1e-3)


def test_a_file_is_made_to_fit_the_run(scenes: dict[str, AudioScene]) -> None:
    stereo = np.stack([tone(4410), np.zeros(4410)], axis=1)
    events = asked(scenes["wavenet"], "read", file=as_file(sound(stereo, 44_100, "FLAC")), name="take.flac")
    assert len(levels_of(of(events, "levels"))) == 800


def test_a_beginning_may_be_empty(scenes: dict[str, AudioScene]) -> None:
    events = asked(scenes["wavenet"], "read", levels="")
    assert of(events, "next") == of(asked(scenes["wavenet"], "next", levels=""), "next")


def test_samples_that_the_page_decoded_are_read(scenes: dict[str, AudioScene]) -> None:
    samples = as_file(np.append(tone(100), [np.nan, 2]).astype("<f4").tobytes())
    found = levels_of(of(asked(scenes["wavenet"], "read", samples=samples), "levels"))
    assert (found == scenes["wavenet"].format.encode(np.append(tone(100), [0, 2]))).all()


def test_the_page_can_make_the_same_file(scenes: dict[str, AudioScene]) -> None:
    about = scenes["wavenet"].about()
    assert about["amplitudes"] == scenes["wavenet"].format.decode(torch.arange(64)).tolist()
    assert about["silence"] == scenes["wavenet"].format.encode(np.zeros(1))[0]
    assert scenes["linear"].about()["amplitudes"] is None
    assert scenes["linear"].about()["per_bar"] == 256


def test_a_class_is_drawn_where_none_is_named(scenes: dict[str, AudioScene]) -> None:
    events = asked(scenes["classes"], "grow", levels="", seed=3, length=5)
    assert of(events, "label") in (0, 1)
    with pytest.raises(ValueError, match="^choose a class"):
        asked(scenes["classes"], "read", samples=as_file(tone(100).astype("<f4").tobytes()))


@pytest.mark.parametrize(
    ("request_", "words"),
    [
        ({}, "levels expects text"),
        ({"levels": "*"}, "levels expects base64, got something else"),
        ({"levels": as_file(b"odd")}, "expected numbers of 2 bytes, got 3 bytes"),
        (
            {"levels": as_file(b"\xff\xff")},
            "DiscretizedLogisticMixture(categories=64, components=5) expects values integers from 0 to 63, got 65535",
        ),
        ({"levels": "", "length": 0}, "length expects an integer from 1 to 1048576, got 0"),
        ({"file": as_file(b"no sound"), "name": "/tmp/take.wav"}, "take.wav: expected a recording"),
    ],
)
def test_wrong_requests_are_refused(scenes: dict[str, AudioScene], request_: dict[str, Any], words: str) -> None:
    with pytest.raises(ValueError, match=f"^{re.escape(words)}"):
        asked(scenes["wavenet"], "grow", **request_)


def test_recordings_that_grow_at_once_are_those_that_grow_alone(scenes: dict[str, AudioScene]) -> None:
    own = [scenes["wavenet"], scenes["rnn"]]
    wanted = [(run, seed) for seed in range(3) for run in (0, 1)]

    def ask(each: tuple[int, int]) -> Any:
        return client.events("grow", {"levels": "", "seed": each[1], "length": 700}, each[0])

    with served([scene.run.folder for scene in own]) as client, ThreadPoolExecutor(6) as pool:
        answers = list(pool.map(ask, wanted))
    for (run, seed), events in zip(wanted, answers, strict=True):
        assert (grown(events) == sample(own[run].model, 1, seed=seed, length=700)[0].numpy()).all()


def test_a_missing_package_is_named(scenes: dict[str, AudioScene], monkeypatch: pytest.MonkeyPatch) -> None:
    content = as_file(sound(tone(100)))
    monkeypatch.setitem(sys.modules, "soundfile", None)
    with pytest.raises(ValueError, match=r"^audio needs the package soundfile: pip install 'chainrule\[audio\]'"):
        asked(scenes["wavenet"], "read", file=content, name="take.wav")


def test_a_run_with_frames_has_no_scene(scenes: dict[str, AudioScene]) -> None:
    run = scenes["wavenet"].run
    frames = replace(run.kind.format, frames=FrameFormat(40, (0.0,), (1.0,)))
    with pytest.raises(ValueError, match="show expects a run on recordings without frames"):
        scene_of(replace(run, kind=AudioKind(frames)))


def test_a_walk_stops_when_the_page_is_gone(scenes: dict[str, AudioScene]) -> None:
    events: list[Any] = []
    link = Link(events.append, Turns())

    def gone() -> None:
        for event in scenes["wavenet"].actions["grow"]({"levels": "", "length": 2**20}, link):
            events.append(event)
            link.leave()

    with pytest.raises(Stopped):
        gone()
    assert len(events) < 5


def test_complete_appends_samples(
    scenes: dict[str, AudioScene], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run, take = str(scenes["wavenet"].run.folder), tmp_path / "take.wav"
    take.write_bytes(sound(tone(100)))
    complete = ["complete", run, str(take), "--length", "30"]
    assert main([*complete, "--out", str(tmp_path / "all")]) == 0
    assert len(soundfile.read(tmp_path / "all" / "1-take-completed-1.wav")[0]) == 130
    assert main([*complete, "--observe", "0.5", "--out", str(tmp_path / "half")]) == 0
    assert len(soundfile.read(tmp_path / "half" / "1-take-completed-1.wav")[0]) == 80
    capsys.readouterr()
    assert "length expects at least 1, got 0" in refused(
        capsys, "complete", run, str(take), "--length", "0", "--out", str(tmp_path / "none")
    )
    assert "--length, the number of samples to append" in refused(
        capsys, "complete", run, str(take), "--out", str(tmp_path / "none")
    )


@pytest.mark.parametrize("name", ["wavenet", "classes"])
def test_requests_that_no_page_sends_are_refused_in_words(scenes: dict[str, AudioScene], name: str) -> None:
    own = {"seed": 1, "temperature": 0.5, "top_k": 3, "top_p": 0.5, "greedy": False, "label": label_of(scenes[name])}
    requests = {
        "read": {"samples": "AAAA", **own},
        "grow": {"levels": "AAA=", "length": 5, **own},
        "next": {"levels": "AAA=", "file": as_file(sound(tone(50))), "name": "take.wav", **own},
    }
    assert len(refusals(scenes[name], requests, 100)) > 30
