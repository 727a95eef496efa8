"""The scene of images: what the page shows is what the library and the command line make."""

import base64
import io
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor
from web_client import Client, merged, served

import chainrule
from chainrule.cli import main
from chainrule.conditionals import Bernoulli, Categorical
from chainrule.data import load
from chainrule.data.write import picture_of
from chainrule.kinds.requests import shares_of
from chainrule.model import AutoregressiveModel
from chainrule.models import MADE, NADE, Ensemble, PixelCNN
from chainrule.models.class_mixture import ClassMixture
from chainrule.runs import folder
from chainrule.runs.opened import open_run
from chainrule.tasks.classify import classify_progressively
from chainrule.tasks.complete import completion
from chainrule.tasks.receptive_field import receptive_field
from chainrule.tasks.score import surprisals

SIZE = (1, 4, 5)


def run_of(model: AutoregressiveModel, path: Path, **data: Any) -> Path:
    """A run folder of a model that was never fitted, whose conditionals are far from uniform."""
    torch.manual_seed(1)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.copy_(0.7 * torch.randn_like(parameter))
    values = model.conditional.values
    assert values is not None
    record = {"name": path.name, "kind": "image", "image": {"levels": len(values)}} | data
    path.mkdir()
    folder.save(model, path, settings={}, data=record)
    return path


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    home = tmp_path_factory.mktemp("page")
    binary, grey = Bernoulli(), Categorical(5)
    classes = PixelCNN(event_shape=SIZE, conditional=binary, hidden_size=6, num_blocks=2, num_classes=3)
    agnostic = MADE(event_shape=SIZE, conditional=binary, hidden_sizes=[9], num_masks=3, order_agnostic=True)
    return [
        run_of(MADE(event_shape=SIZE, conditional=binary, hidden_sizes=[9]), home / "made"),
        run_of(classes, home / "classes", class_counts=[10, 20, 70]),
        run_of(Ensemble(models=[agnostic], variants=3), home / "orders"),
        run_of(NADE(event_shape=SIZE, conditional=binary, hidden_size=7, order="random:3"), home / "random"),
        run_of(MADE(event_shape=(3, 2, 3), conditional=grey, hidden_sizes=[9]), home / "colour"),
    ]


@pytest.fixture(scope="module")
def client(runs: list[Path]) -> Iterator[Client]:
    with served(runs) as client:
        yield client


def model_of(folder: Path) -> AutoregressiveModel:
    return open_run(folder, device="cpu").likelihood.requires_grad_(False)


def command_of(events: list[dict[str, Any]]) -> list[str]:
    (command,) = (event["command"] for event in events if "command" in event)
    words = shlex.split(command)
    assert words[0] == "chainrule"
    return words[1:]


def samples_of(events: list[dict[str, Any]], shape: tuple[int, ...], count: int) -> Tensor:
    """The samples ``(count, *shape)`` that events built, each along its order."""
    x = torch.full((count, *shape), torch.nan).flatten(1)
    own: dict[str, Any] = {}
    t = 0
    for event in events:
        if "samples" in event:
            own, t = event, 0
        for step in event.get("steps", []):
            x[own["samples"], own["order"][t]] = torch.tensor(step["values"]).float()
            t += 1
    return x.view(count, *shape)


@pytest.mark.parametrize("run", range(5))
@pytest.mark.parametrize("settings", [{}, {"temperature": 0.5}, {"greedy": True}, {"count": 3}])
def test_a_sample_is_that_of_its_command(
    client: Client,
    runs: list[Path],
    run: int,
    settings: dict[str, Any],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    events = client.events("sample", {"seed": 4, **settings}, run)
    monkeypatch.chdir(tmp_path)
    words = [word if word != "sample.png" else "sample.npy" for word in command_of(events)]
    assert main(words) == 0
    x = samples_of(events, model_of(runs[run]).event_shape, settings.get("count", 1))
    assert np.array_equal(np.load("sample.npy"), x.numpy())


def test_a_sample_has_the_conditionals_that_it_was_drawn_from(client: Client, runs: list[Path]) -> None:
    for run in (0, 3, 4):
        model, events = model_of(runs[run]), client.events("sample", {"seed": 1}, run)
        x, steps = samples_of(events, model.event_shape, 1), merged(events, "steps")
        nats = model.order.flatten(surprisals(model, x))[0]
        assert torch.allclose(torch.tensor([step["nats"][0] for step in steps]), nats, rtol=1e-3, atol=1e-5)
        bars = torch.tensor([step["bars"] for step in steps])
        assert torch.allclose(bars.sum(1), torch.ones(len(bars)), atol=2e-3)
        means = torch.tensor([step["means"][0] for step in steps])
        assert model.conditional.values is not None
        assert torch.allclose(bars @ model.conditional.values, means, rtol=5e-3, atol=1e-3)


def test_classes_become_clear_as_a_sample_grows(client: Client, runs: list[Path]) -> None:
    model, prior = model_of(runs[1]), shares_of(model_of(runs[1]), [10, 20, 70])
    events = client.events("sample", {"seed": 2, "label": 2}, 1)
    assert merged(events, "labels") == [2]
    x = samples_of(events, SIZE, 1)
    progress = classify_progressively(model, x, prior=prior)[0].exp()
    assert torch.allclose(torch.tensor(merged(events, "classes")), progress.float(), rtol=1e-3)
    words = command_of(events)
    assert words[words.index("--class") + 1] == "2"


def known(x: Tensor, observed: Tensor) -> list[float | None]:
    """A request's ``x``, null where it is not observed."""
    return [
        value if seen else None for value, seen in zip(x.flatten().tolist(), observed.flatten().tolist(), strict=True)
    ]


def observed_of(shape: tuple[int, ...], how: str) -> Tensor:
    observed = torch.zeros(shape, dtype=torch.bool)
    if how == "first":
        observed[:, : shape[1] // 2] = True
    else:
        observed[:, -1] = True
        observed[:, 0, 0] = True
    return observed


@pytest.mark.parametrize("run", range(5))
@pytest.mark.parametrize("how", ["first", "last"])
@pytest.mark.filterwarnings("ignore:the effective sample size")
def test_a_completion_is_that_of_the_library(client: Client, runs: list[Path], run: int, how: str) -> None:
    model = model_of(runs[run])
    if model.num_classes is not None:
        model = ClassMixture(model=model, shares=shares_of(model, [10, 20, 70]).tolist())
    x = chainrule.sample(model, 1, seed=9)
    observed = observed_of(model.event_shape, how)
    events = client.events("complete", {"x": known(x, observed), "draws": 2, "particles": 8, "seed": 3}, run)
    done = [event for event in events if "x" in event]
    assert [event["draw"] for event in done] == [0, 1]
    for event in done:
        expected = completion(model, x, observed, particles=8, seed=3 + event["draw"])
        assert torch.equal(torch.tensor(event["x"]).view(model.event_shape), expected.x[0])
        assert (event["exact"], event["particles"]) == (expected.exact, None if expected.exact else 8)
        assert event["log_evidence"] == pytest.approx(float(expected.log_evidence))
        assert event["method"].split(",")[0] == expected.method.split(",")[0]
        size = expected.effective_sample_size
        assert event["effective_sample_size"] == (None if size is None else pytest.approx(float(size)))
        unknown = int((~observed).sum())
        assert len(merged([each for each in events if each.get("draw") == event["draw"]], "steps")) >= unknown


def test_a_completion_is_that_of_its_command(
    client: Client, runs: list[Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With the files that the page saves."""
    monkeypatch.chdir(tmp_path)
    for run in (0, 1, 4):
        model = model_of(runs[run])
        levels = len(model.conditional.probes)
        observed = observed_of(model.event_shape, "last")
        x = torch.randint(levels, model.event_shape, generator=torch.Generator().manual_seed(0)).float() * observed
        request = {"x": known(x, observed), "draws": 2, "particles": 8, "temperature": 0.8}
        events = client.events("complete", request, run)
        picture_of(x, levels).save("image.png")
        Image.fromarray(observed.any(0).numpy()).save("known.png")
        words = [word if word != "completed.png" else "completed.npz" for word in command_of(events)]
        assert main(words) == 0
        done = torch.tensor([event["x"] for event in events if "x" in event])
        assert np.array_equal(np.load("completed.npz")["examples"], done.view(2, *model.event_shape).numpy())


def test_impossible_pixels_are_refused(client: Client) -> None:
    assert "0 or 1" in client.refused("complete", {"x": [2] * 20})
    assert "0 or 1" in client.refused("surprisal", {"x": [0.5] * 20})
    assert "x expects a list of 20 numbers" in client.refused("complete", {"x": [1] * 19})
    assert "variable expects an integer from 0 to 19" in client.refused("field", {"x": [1] * 20, "variable": 20})


@pytest.mark.parametrize("run", [0, 1, 3, 4])
def test_surprisals_are_those_of_the_library(client: Client, runs: list[Path], run: int) -> None:
    model = model_of(runs[run])
    x = chainrule.sample(model, 1, seed=5, context=None if model.num_classes is None else torch.tensor([1]))
    events = client.events("surprisal", {"x": x.flatten().tolist()}, run)
    (nats,), (total,) = ([event[name] for event in events if name in event] for name in ("nats", "total"))
    own = model if run != 1 else ClassMixture(model=model, shares=shares_of(model, [10, 20, 70]).tolist())
    assert torch.allclose(torch.tensor(nats), surprisals(own, x).flatten(), rtol=1e-3)
    assert total == pytest.approx(-float(own.log_prob(x)), rel=1e-5)
    assert bool(merged(events, "classes")) == (run == 1)


def test_a_surprisal_is_that_of_its_command(
    client: Client, runs: list[Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    for run, label in ((0, None), (1, None), (1, 2), (4, None)):
        model = model_of(runs[run])
        levels = len(model.conditional.probes)
        x = torch.randint(levels, model.event_shape, generator=torch.Generator().manual_seed(0)).float()
        events = client.events("surprisal", {"x": x.flatten().tolist(), "label": label}, run)
        picture_of(x, levels).save("image.png")
        assert main([word if word != "surprisal.png" else "surprisal.npz" for word in command_of(events)]) == 0
        (nats,) = (event["nats"] for event in events if "nats" in event)
        assert np.allclose(np.load("surprisal.npz")["nats"].flatten(), nats, rtol=1e-3)


def test_a_mixture_over_orders_has_log_p_and_no_surprisals(client: Client, runs: list[Path]) -> None:
    x = chainrule.sample(model_of(runs[2]), 1, seed=5)
    events = client.events("surprisal", {"x": x.flatten().tolist()}, 2)
    (total,) = (event["total"] for event in events if "total" in event)
    assert total == pytest.approx(-float(model_of(runs[2]).log_prob(x)), rel=1e-5)
    assert "got a mixture" in client.refused("field", {"x": x.flatten().tolist(), "variable": 3}, 2)


def test_receptive_fields_are_those_of_the_library(client: Client, runs: list[Path]) -> None:
    for run in (0, 3, 4):
        model = model_of(runs[run])
        x = chainrule.sample(model, 1, seed=5)
        for variable in (0, model.num_variables // 2, model.num_variables - 1):
            (event,) = client.events("field", {"x": x.flatten().tolist(), "variable": variable}, run)
            t = int((model.order.permutation == variable).nonzero())
            expected = receptive_field(model, x, t).flatten().float()
            assert event["t"] == t
            assert torch.allclose(torch.tensor(event["field"]), expected, rtol=1e-3, atol=1e-9)


def file_of(image: Image.Image, kind: str = "png") -> str:
    buffer = io.BytesIO()
    image.save(buffer, kind)
    return base64.b64encode(buffer.getvalue()).decode()


def test_any_image_can_be_dropped(client: Client) -> None:
    black = np.zeros((4, 5), np.uint8)
    black[1, 2] = 255
    (event, *_) = (e for e in client.events("surprisal", {"file": file_of(Image.fromarray(black))}) if "x" in e)
    assert event["x"] == (black // 255).flatten().tolist()
    assert "said" not in event
    large = Image.fromarray(np.kron(black, np.ones((7, 8), np.uint8))).convert("RGB")
    for kind in ("png", "gif", "bmp"):
        (event, *_) = (e for e in client.events("surprisal", {"file": file_of(large, kind)}) if "x" in e)
        assert event["x"] == (black // 255).flatten().tolist()
        assert "40x28" in event["said"]
    inverted = {"file": file_of(Image.fromarray(black)), "invert": True}
    (event, *_) = (e for e in client.events("surprisal", inverted) if "x" in e)
    assert event["x"] == (1 - black // 255).flatten().tolist()


def test_what_is_no_image_is_refused_by_its_name(client: Client) -> None:
    words = client.refused("surprisal", {"file": base64.b64encode(b"hello").decode(), "name": "a.png"})
    assert words.startswith("a.png: expected an image")
    assert "/tmp" not in words
    assert "base64" in client.refused("surprisal", {"file": "%%%"})
    assert "file expects text of at most" in client.refused("surprisal", {"file": "A" * (4 * 2**20 + 4)})


def test_examples_are_those_of_the_data(digits_run: Path, client: Client) -> None:
    digits = load("digits")
    with served([digits_run]) as own:
        (event,) = own.events("example", {"index": 7})
        assert event["x"] == digits.test[[7]].flatten().tolist()
        assert event["label"] == int(digits.classes("test")[7])
        assert "index expects an integer from 0 to 178" in own.refused("example", {"index": 179})
        assert "split expects test or valid or train" in own.refused("example", {"split": "all"})
    assert "does not say what it was fitted on" in client.refused("example", {"index": 0})
