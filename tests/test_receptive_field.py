"""The variables that conditionals depend on, and plots of them and of surprisal."""

from pathlib import Path

import numpy as np
import pytest
import torch
from command_line import FAST, refused
from PIL import Image

import chainrule
from chainrule import plots
from chainrule.cli import main
from chainrule.conditionals import Bernoulli, Categorical
from chainrule.models import FVSBN, NADE, BayesNet, Ensemble, PixelCNN
from chainrule.testing import randomised

pytestmark = pytest.mark.quick


@pytest.fixture(scope="module")
def images_run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("runs") / "images"
    model = ["--model", "PixelCNN", "--model.hidden_size", "8", "--model.num_blocks", "1"]
    assert main(["fit", *model, "--data", "digits", "--out", str(out), *FAST]) == 0
    return out


def test_a_regression_depends_on_its_weights() -> None:
    """A logistic regression: one variable changes the logit by its weight, and log-probabilities by what follows."""
    model = randomised(FVSBN(event_shape=(5,), conditional=Bernoulli(), order="random:1"))
    x = torch.tensor([[0.0, 1.0, 1.0, 0.0, 1.0], [1.0, 1.0, 0.0, 0.0, 0.0]])
    field = chainrule.receptive_field(model, x, 3)
    position = int(model.order.permutation[3])
    expected = torch.zeros(5, dtype=torch.float64)
    for s in model.order.permutation[:3].tolist():
        for row in x:
            flipped = row.clone()
            flipped[s] = 1 - flipped[s]
            before, after = (model(example[None]).logits[0, position] for example in (row, flipped))
            tables = [torch.stack([-logit, logit]).sigmoid().log() for logit in (before, after)]
            expected[s] += (tables[1] - tables[0]).abs().max().item() / 2
    assert torch.allclose(field, expected, atol=1e-5)


def test_edges_of_a_net_are_all_that_is_seen() -> None:
    net = BayesNet(event_shape=(4,), conditional=Categorical(3), structure="previous:1", num_classes=2)
    rows = torch.randint(3, (50, 4), generator=torch.Generator().manual_seed(0)).float()
    net.count([(rows, torch.arange(50) % 2)])
    field = chainrule.receptive_field(net, rows[:3], 2, context=torch.tensor([0, 1, 1]))
    assert (field > 0).tolist() == [False, True, False, False]
    assert chainrule.receptive_field(net, rows[:1], 0, context=torch.zeros(1)).tolist() == [0, 0, 0, 0]


def test_wrong_questions() -> None:
    model = NADE(event_shape=(3,), conditional=Bernoulli())
    with pytest.raises(ValueError, match="t expects a variable from 0 to 2, got 3"):
        chainrule.receptive_field(model, torch.zeros(1, 3), 3)
    mixture = Ensemble(models=[model, NADE(event_shape=(3,), conditional=Bernoulli(), order="reversed")])
    with pytest.raises(ValueError, match="expects a model of one order, got a mixture"):
        chainrule.receptive_field(mixture, torch.zeros(1, 3), 1)


def test_the_command_line_writes_surprisals(
    images_run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run, out = str(images_run), tmp_path / "nats.npz"
    assert main(["score", run, "-n", "5", "--out", str(out)]) == 0
    model, x = chainrule.load(images_run), chainrule.data.load("digits").test[:5]
    arrays = np.load(out)
    assert np.array_equal(arrays["examples"], x.numpy())
    assert arrays["nats"].reshape(5, -1).sum(1) == pytest.approx(-model.log_prob(x).detach().numpy(), rel=1e-5)
    for command in (["score", run, "-n", "5"], ["describe", run]):
        picture = tmp_path / f"{command[0]}.png"
        assert main([*command, "--out", str(picture)]) == 0
        with Image.open(picture) as image:
            assert image.size[0] > 64
    capsys.readouterr()
    assert "expected one array" in refused(capsys, "score", run, str(out), "--out", str(out))
    assert "score expects --out" in refused(capsys, "score", run)
    assert "ending in .png" in refused(capsys, "describe", run, "--out", "x.csv")


def test_pictures_need_images(tmp_path: Path, table_run: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(ValueError, match="nats expects the shape of examples, images"):
        plots.surprisal_map(torch.zeros(2, 1, 3, 3), torch.zeros(2, 1, 3, 4), tmp_path / "x.png")
    with pytest.raises(ValueError, match="fields expects images of one size"):
        plots.receptive_fields({"a": torch.zeros(1, 2, 3), "b": torch.zeros(1, 3, 3)}, (0, 0), tmp_path / "x.png")
    assert "expects a model of images" in refused(capsys, "describe", str(table_run), "--out", str(tmp_path / "x.png"))
    assert not (tmp_path / "x.png").exists()


def test_the_field_of_a_kernel_is_drawn_where_it_is(tmp_path: Path) -> None:
    model = randomised(PixelCNN(event_shape=(1, 5, 6), conditional=Bernoulli(), hidden_size=16, num_blocks=1))
    field = chainrule.receptive_field(model, torch.zeros(1, 1, 5, 6), 3 * 6 + 2)[0]
    assert field[4:].max() == 0
    assert field[3, 2:].max() == 0
    assert field[3, :2].min() > 0
    plots.receptive_fields({"PixelCNN": field[None]}, (3, 2), tmp_path / "x.png")
    with Image.open(tmp_path / "x.png") as image:
        pixels = np.asarray(image.convert("RGB"))
    assert (pixels == np.array(plots.heat.VARIABLE)).all(-1).any()
