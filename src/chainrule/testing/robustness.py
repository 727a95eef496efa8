"""Laws of robustness: saving, other types and devices, extreme and invalid inputs."""

from __future__ import annotations

import copy
import io

import torch
from torch import Tensor

from chainrule.devices import seed_everything
from chainrule.model import AutoregressiveModel
from chainrule.tasks.sample import sample
from chainrule.testing.probes import EXAMPLES, random_events, values_along
from chainrule.testing.promises import outside
from chainrule.testing.subjects import law
from chainrule.testing.verdicts import PASSED, Verdict, cannot_tell, passed, require, require_close

SHALLOW = 4
"""With up to this many weight matrices, squares of numbers at 1000 times the weights fit in single precision (1e38)."""

DEEP = 50
"""With more than this many, they don't even fit in double precision (1e308)."""


@law
@torch.no_grad()
def saves_and_loads(model: AutoregressiveModel) -> Verdict:
    """A model rebuilt from its configuration and saved weights gives identical log-probabilities.

    In double precision, and on a CUDA device where there is one, they are the same up to rounding.

    Raises:
        AssertionError: If the copy differs or can't be built.
    """
    x = random_events(model, 64)
    expected = model.log_prob(x)
    file = io.BytesIO()
    torch.save(model.state_dict(), file)
    file.seek(0)
    seed_everything(1)
    try:
        loaded = type(model)(**model.config).to(model.device, model.dtype)
        loaded.load_state_dict(torch.load(file, weights_only=True))
    except (TypeError, ValueError, RuntimeError) as error:
        raise AssertionError(
            f"saves_and_loads: expected {type(model).__name__}(**config) to take the saved weights, got: {error}"
        ) from error
    got = loaded.eval().log_prob(x)
    require_close(got, expected, 0.0, "saves_and_loads: expected identical log p(x), got others after loading")
    double = copy.deepcopy(model).double()
    _require_type(double, x, torch.float64, model.device.type)
    require_close(double.log_prob(x).to(expected), expected, 1e-4, "saves_and_loads: log p(x) in double precision")
    if not torch.cuda.is_available():
        return passed("no CUDA device here to try")
    moved = copy.deepcopy(double).cuda()
    _require_type(moved, x.cuda(), torch.float64, "cuda")
    got = moved.log_prob(x.cuda()).cpu()
    require_close(got, double.cpu().log_prob(x.cpu()), 1e-9, "saves_and_loads: log p(x) on CUDA")
    return PASSED


def _require_type(model: AutoregressiveModel, x: Tensor, dtype: torch.dtype, device: str) -> None:
    """Require log-probabilities and samples of one type and on one device."""
    message = f"saves_and_loads: log p(x) and samples expected as {dtype} on {device}, got"
    try:
        results = model.log_prob(x), sample(model, 2, seed=0)
    except RuntimeError as error:
        raise AssertionError(f"{message} RuntimeError: {error}") from error
    for result in results:
        got = f"{result.dtype} on {result.device.type}"
        require(result.dtype == dtype and result.device.type == device, f"{message} {got}")


@law
@torch.no_grad()
def finite_and_strict(model: AutoregressiveModel) -> Verdict:
    """`log_prob` is a number, finite at extreme inputs and weights, and raises ``ValueError`` for invalid inputs.

    Raises:
        AssertionError: If it is NaN, isn't finite, accepts an invalid input, or doesn't say what it expected and got.
    """
    missing = int(model.log_prob(random_events(model, EXAMPLES)).isnan().sum())
    require(
        missing == 0, f"finite_and_strict: log p(x) expected a number, got NaN: log p(x) is NaN for {missing} examples"
    )
    _invalid(model, _wrong_shapes(model))
    _invalid(model, _wrong_values(model))
    for parameter in model.parameters():
        parameter.mul_(1e3)
    found = _not_finite(model)
    if found is None:
        return PASSED
    if _family_overflows(model):
        return cannot_tell("its family of conditionals is not finite at parameters of 1000", "to bound them there")
    depth = sum(parameter.dim() > 1 for parameter in model.parameters())
    in_double = _not_finite(model.double()) if depth > SHALLOW else found
    require(
        in_double is None or depth > DEEP,
        f"finite_and_strict: log p of the {found[0]} values, at 1000 times the weights, expected finite, "
        f"got {found[1]}",
    )
    return cannot_tell(
        f"at 1000 times the weights the numbers of {depth} layers exceed what single precision holds", "fewer layers"
    )


def _family_overflows(model: AutoregressiveModel) -> bool:
    """True if the family alone, given parameters of 1000 or -1000, has values without finite log-probability."""
    kinds = 1 if model.conditional.uniform else model.num_variables
    for family in (model.conditional.of(i).family for i in range(kinds)):
        for size in (1e3, -1e3):
            parameters = torch.full((len(family.probes), family.num_parameters), size, dtype=model.dtype)
            if not bool(family.distribution(parameters).log_prob(family.probes.to(model.dtype)).isfinite().all()):
                return True
    return False


def _not_finite(model: AutoregressiveModel) -> tuple[str, float] | None:
    """The end of the support at which log p is not finite, and what it is; None if it is finite at both."""
    values = values_along(model)
    for name, value in (("lowest", values[:, 0]), ("highest", values[:, -1])):
        got = model.log_prob(value.reshape(model.event_shape).expand(2, *model.event_shape))
        if not bool(got.isfinite().all()):
            return name, float(got[~got.isfinite()][0])
    return None


def _wrong_shapes(model: AutoregressiveModel) -> dict[str, Tensor]:
    x = random_events(model, 2)
    *sizes, last = model.event_shape
    another = 0 if model.any_length else last + 1
    shapes = [(), (2,), (2, *sizes, another), (2, *model.event_shape, 1)]
    return {f"shape {shape}": x.new_zeros(shape) for shape in shapes}


def _wrong_values(model: AutoregressiveModel) -> dict[str, Tensor]:
    wrong = {}
    invalid = outside(model.conditional.of(model.num_variables - 1).family)
    for value in invalid:
        x = random_events(model, 2)[:2].clone()
        x.view(len(x), -1)[-1, -1] = value
        wrong[f"a value {value:g}"] = x
    return wrong


def _invalid(model: AutoregressiveModel, inputs: dict[str, Tensor]) -> None:
    """Require a ``ValueError`` for each of ``inputs`` that says what was expected and what came."""
    for name, x in inputs.items():
        try:
            got = model.log_prob(x)
        except ValueError as error:
            message = str(error)
            require(
                "expect" in message and "got" in message,
                f"finite_and_strict: for {name}, expected an error that says what was expected and got, got: {message}",
            )
        else:
            raise AssertionError(f"finite_and_strict: for {name}, expected a ValueError, got log p(x) {got.tolist()}")
