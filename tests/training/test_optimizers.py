"""Optimisers against PyTorch's trajectories in float64: from the text of a model through its train
program to the parameters after each step."""

from __future__ import annotations

import json

import numpy as np
import pytest
from small_networks import built

from netdsl.diagnostics import Refused, Report
from netdsl.training.graph import plan_training
from netdsl.training.trainer import Trainer

PRODUCT = """
model Product {{
    input g: {dtype}[{size}]
    parameter p: {dtype}[{size}] = zeros()
    loss total = sum(p * g)
}}
train Product {{ epochs 3 minimize total with {how} }}
"""  # the gradient of the loss for p is g
ROWS = {"SGD": "sgd", "Adagrad": "adagrad", "RMSprop": "rmsprop", "Adam": "adam", "AdamW": "adamw"}
RATES = {"SGD": 1e-3, "Adagrad": 1e-2, "RMSprop": 1e-2, "Adam": 1e-3, "AdamW": 1e-3}  # PyTorch's


def stepping(how: str, begin, dtype: str = "f64", **more) -> Trainer:
    """The model above, its parameter begun as given, minimised `how` a text says."""
    begin = np.array(begin, {"f64": np.float64, "f32": np.float32}[dtype])
    made = built(PRODUCT.format(dtype=dtype, size=len(begin), how=how))
    return Trainer(made.graph, made.program, {"p": begin}, **more)


def positions(trainer: Trainer, gradients) -> list[np.ndarray]:
    """The parameter after a step along each of the gradients."""
    found = []
    for gradient in gradients:
        trainer.step({"g": np.array(gradient, trainer.variables["p"].dtype)})
        found.append(trainer.weights["p"])
    return found


# ------------------------------------------------------------------ the reference file


def written(case: dict) -> str:
    """A configuration of PyTorch's as the language writes it."""
    def value(of) -> str:
        if isinstance(of, bool):
            return str(of).lower()
        return f"({', '.join(map(repr, of))})" if isinstance(of, list) else repr(of)

    settings = {"lr": RATES[case["optimizer"]], **case["kwargs"]}
    given = ", ".join(f"{name} = {value(of)}" for name, of in settings.items())
    return f"{ROWS[case['optimizer']]}({given})"


@pytest.fixture(scope="module")
def reference(shared):
    return json.loads((shared / "reference" / "optimizer_trajectories.json").read_text())


def test_every_trajectory_of_the_reference(reference):
    worst = {}
    for case in reference["cases"]:
        found = positions(stepping(written(case), reference["p0"]), reference["grads"])
        apart = np.abs(np.array(found) / np.array(case["trajectory"]) - 1)
        worst[written(case)] = apart.max()
    assert len(worst) == 26
    assert max(worst.values()) < 1e-12, worst


# ------------------------------------------------------------------ a handful, written out

BEGIN = [0.5, -0.25, 1.0]
GRADIENTS = [[0.3, 0.0, 2e-6], [-0.2, 1.5, -3e-6], [0.1, -0.5, 1e-6]]
AFTER = {
    "sgd(0.1)":
        [0.48, -0.35, 1.0],
    "sgd(0.1, momentum = 0.9, dampening = 0.5, weight_decay = 0.1)":
        [0.41252662500000004, -0.35677868749999997, 0.958614446045],
    "sgd(0.1, momentum = 0.9, nesterov = true)":
        [0.43202999999999997, -0.5615, 0.9999999351999999],
    "adagrad(0.1, lr_decay = 0.5, weight_decay = 0.1, initial_accumulator_value = 0.2)":
        [0.44404515147530904, -0.2919365081674181, 0.954183249986127],
    "rmsprop(0.1)":
        [-0.21274684159796248, -0.9323394845200732, 0.5965760354048937],
    "rmsprop(0.1, alpha = 0.8, momentum = 0.9, centered = true, eps = 1e-6)":
        [0.004640613999663604, -0.6449762864501584, 0.8830470722891792],
    "adam(0.1, betas = (0.5, 0.9), weight_decay = 0.1)":
        [0.359501648608588, -0.254383201177551, 0.7059833678233309],
    "adam(0.1, amsgrad = true, betas = (0.9, 0.5))":
        [0.35843667938237156, -0.34212186219200885, 0.9249070778897308],
    "adamw(0.1, weight_decay = 0.1)":
        [0.3449810812923112, -0.35060156027687606, 0.8985636644035441],
}  # as PyTorch 2.13 gives them, in float64


@pytest.mark.parametrize("how", AFTER, ids=str)
def test_after_three_steps(how):
    last = positions(stepping(how, BEGIN), GRADIENTS)[-1]
    np.testing.assert_allclose(last, AFTER[how], rtol=1e-13, atol=0)


@pytest.mark.parametrize("how", AFTER, ids=str)
def test_float32_follows_float64(how):
    last = positions(stepping(how, BEGIN, "f32"), GRADIENTS)[-1]
    assert last.dtype == np.float32
    # sums of squares of 1e-6 and a mean that is taken away from them lose some digits
    np.testing.assert_allclose(last, AFTER[how], rtol=1e-4)


def test_a_centred_gradient_that_never_changes_is_no_division_by_zero():
    """Its variance is 0, which rounding could take below the root's range."""
    trainer = stepping("rmsprop(1e-3, centered = true, alpha = 0.5)", [1.0] * 8, "f32")
    found = positions(trainer, [np.linspace(0.1, 0.9, 8)] * 40)
    assert np.isfinite(found[-1]).all()


# ------------------------------------------------------------------ schedules

STEPS = 6  # two an epoch, three epochs
FOLLOWING = {
    "sgd(linear(0.2, 0.1), momentum = linear(0.1, 0.7), weight_decay = linear(0.3, 0.0), "
    "dampening = linear(0.0, 0.6))": {
        "rate": (0.2, 0.1), "momentum": (0.1, 0.7), "dampening": (0.0, 0.6),
        "weight_decay": (0.3, 0.0),
    },
    "adagrad(linear(0.2, 0.1), lr_decay = linear(0.5, 0.2), weight_decay = linear(0.3, 0.0), "
    "eps = linear(1e-2, 1e-3))": {
        "rate": (0.2, 0.1), "lr_decay": (0.5, 0.2), "eps": (1e-2, 1e-3), "weight_decay": (0.3, 0.0),
    },
    "rmsprop(linear(0.2, 0.1), alpha = linear(0.9, 0.3), eps = linear(1e-2, 1e-3), "
    "momentum = linear(0.1, 0.7), weight_decay = linear(0.3, 0.0))": {
        "rate": (0.2, 0.1), "alpha": (0.9, 0.3), "momentum": (0.1, 0.7), "eps": (1e-2, 1e-3),
        "weight_decay": (0.3, 0.0),
    },
    "adamw(linear(0.2, 0.1), betas = (linear(0.9, 0.3), linear(0.99, 0.6)), "
    "eps = linear(1e-2, 1e-3), weight_decay = linear(0.3, 0.0))": {
        "rate": (0.2, 0.1), "beta1": (0.9, 0.3), "beta2": (0.99, 0.6), "eps": (1e-2, 1e-3),
        "weight_decay": (0.3, 0.0),
    },
}


def drawn(count: int) -> np.ndarray:
    return np.random.default_rng(5).normal(size=(count, len(BEGIN)))


@pytest.mark.parametrize("how", FOLLOWING, ids=lambda how: how.partition("(")[0])
def test_every_number_of_a_formula_follows_its_schedule(how):
    trainer = stepping(how, BEGIN, steps_per_epoch=2)
    found = positions(trainer, drawn(STEPS))
    made = built(PRODUCT.format(dtype="f64", size=3, how=how))
    optimizer, = plan_training(made.graph, made.program, Report()).optimizers
    memory = [np.full(3, begin) for begin in optimizer.slots.values()]
    attrs = optimizer.op.attrs(**({"decoupled": True} if "adamw" in how else {}))
    parameter = np.array(BEGIN)
    for step, gradient in enumerate(drawn(STEPS)):
        part = step / STEPS
        numbers = {name: np.array(a + (b - a) * part) for name, (a, b) in FOLLOWING[how].items()}
        assert trainer.graph.inputs.keys() == {"g", *(f"@{name}.0" for name in numbers)}
        given = {"parameter": parameter, "gradient": gradient, "step": np.array(step + 1),
                 **numbers, **dict(zip(optimizer.slots, memory))}
        operands = (given.get(name.rstrip("?")) for name in optimizer.op.inputs)
        parameter, *memory = optimizer.op.kernel(attrs, *operands)
        np.testing.assert_allclose(found[step], parameter, rtol=1e-14)


@pytest.mark.parametrize("how", FOLLOWING, ids=lambda how: how.partition("(")[0])
def test_going_on_from_a_state_gives_the_same_bits(how):
    whole = stepping(how, BEGIN, "f32", steps_per_epoch=2)
    expected = positions(whole, drawn(STEPS))
    first = stepping(how, BEGIN, "f32", steps_per_epoch=2)
    positions(first, drawn(STEPS)[:3])
    second = stepping(how, [9.0, 9.0, 9.0], "f32", steps_per_epoch=2)
    second.restore(first.state)
    assert np.array_equal(positions(second, drawn(STEPS)[3:]), expected[3:])


def test_a_number_that_warms_up_beside_a_learning_rate_that_stays():
    how = "sgd(1.0, momentum = warmup(1) -> linear(0.8, 0.0), weight_decay = 0.5)"
    trainer = stepping(how, BEGIN, steps_per_epoch=2)
    seen = []
    for gradient in drawn(STEPS):
        seen.append(trainer.numbers()["@momentum.0"])
        trainer.step({"g": gradient})
    assert seen == pytest.approx([0.4, 0.8, 0.8, 0.6, 0.4, 0.2])
    assert trainer.rates() == {"lr": 1.0, "momentum": pytest.approx(0.2)}


# ------------------------------------------------------------------ what is refused

REFUSED = {
    "sgd(0.1, nesterov = true)": "`nesterov` needs a `momentum` above 0",
    "sgd(0.1, momentum = 0.9, nesterov = true, dampening = 0.5)": "goes with no `dampening`",
    "sgd(0.1, dampening = 0.5)": "`dampening` needs a `momentum` above 0",
    "sgd(0.1, momentum = linear(0.9, 1.0))": "`momentum` of `sgd` must be a number from 0 to below",
    "rmsprop(0.1, alpha = 1)": "`alpha` of `rmsprop` must be a number from 0 to below 1",
    "adam(0.1, betas = (0.9, linear(0.5, 2)))": "must be two numbers from 0 to below 1",
    "adagrad(0.1, eps = 0)": "`eps` of `adagrad` must be a number above 0",
    "adagrad(0.1, initial_accumulator_value = cosine(1))": "must be a number of at least 0, not",
    "adam(0.1, maximize = true)": "give it the negative",
    "adamw(0.1, fused = true)": "leave it out",
    "rmsprop(0.1, rho = 0.9)": "did you mean `alpha`?",
    "adam(0.1, beta1 = 0.9)": "did you mean `betas`?",
    "Adagrad(0.1)": "did you mean `adagrad`?",
    "RMSProp(0.1)": "did you mean `rmsprop`?",
}


@pytest.mark.parametrize("how", REFUSED, ids=str)
def test_is_refused(how):
    with pytest.raises(Refused) as refused:
        stepping(how, BEGIN)
    assert REFUSED[how] in str(refused.value)
