"""Penalties over the weights of layers: what they count, what they are worth, what they do."""

from __future__ import annotations

import numpy as np
import pytest
from small_networks import built

from netdsl.backends.numpy import Runner
from netdsl.diagnostics import Refused
from netdsl.layers.initializers import initialize
from netdsl.training.trainer import Trainer

MODEL = """
layer Block{{c}}(x) {{
    return x -> conv: conv{{c, k = 3, pad = 1}} -> bn: batchnorm{{}} -> relu
}}
layer Body{{}}(x) {{
    {inside}
    block: for (i in 0..2) {{ x = x -> Block{{4}} }}
    return x
}}
model M {{
    input image: f32[B, 1, 6, 6]
    input label: i64[B] in 0..5
    body = Body{{}}
    {before}
    h = image -> body -> global_avgpool
    fc = linear{{5}}
    output logits = fc(h)
    {behind}
    loss ce = cross_entropy(logits, label)
    loss total = {total}
}}
train M {{ minimize total with {how} }}
"""
KERNELS = ["body.block.0.conv.weight", "body.block.1.conv.weight"]
OTHERS = [f"body.block.{i}.{name}"
          for i in (0, 1) for name in ("conv.bias", "bn.weight", "bn.bias")]


def text(total: str, how: str = "sgd(0.1)", before="", behind="", inside="") -> str:
    return MODEL.format(total=total, how=how, before=before, behind=behind, inside=inside)


def batch(rows: int = 8) -> dict[str, np.ndarray]:
    rng = np.random.default_rng(3)
    return {"image": rng.normal(size=(rows, 1, 6, 6)).astype(np.float32),
            "label": rng.integers(0, 5, rows)}


COUNTED = {
    "l2_penalty(body)": KERNELS,
    "l2_penalty(body.block)": KERNELS,
    "l2_penalty(body.block.0)": KERNELS[:1],
    "l2_penalty(body.block.0, body.block.1.conv, body)": KERNELS,
    "l2_penalty([fc, body.block.1])": [*KERNELS[1:], "fc.weight"],
    "l2_penalty(fc)": ["fc.weight"],
    "l2_penalty(fc.weight)": ["fc.weight"],
    "l2_penalty(fc.bias)": ["fc.bias"],
    "l2_penalty(body, all = true)": [*KERNELS, *OTHERS],
    "l2_penalty(body.block.0.bn, all = true)": ["body.block.0.bn.weight", "body.block.0.bn.bias"],
    "l2_penalty()": [*KERNELS, "fc.weight"],
    "l2_penalty(all = true)": [*KERNELS, *OTHERS, "fc.weight", "fc.bias"],
    "l1_penalty(fc, body.block.0)": [*KERNELS[:1], "fc.weight"],
    "l1_penalty(all = true)": [*KERNELS, *OTHERS, "fc.weight", "fc.bias"],
    "sum(fc.weight ** 2)": ["fc.weight"],
}


@pytest.mark.parametrize("written", COUNTED, ids=str)
def test_what_counts(written):
    graph = built(text(written)).graph
    rng = np.random.default_rng(0)
    weights = {name: rng.normal(size=array.shape).astype(array.dtype)
               for name, array in initialize(graph).items()}
    found = Runner(graph, weights).run({name: x for name, x in batch().items()}).losses["total"]
    each = np.abs if "l1" in written else np.square
    expected = sum(each(weights[name].astype(np.float64)).sum() for name in COUNTED[written])
    assert found == pytest.approx(expected, rel=1e-6)


@pytest.mark.parametrize("momentum", ["", ", momentum = 0.9", ", momentum = 0.9, nesterov = true"])
def test_half_the_squares_are_weight_decay_to_the_last_bit(momentum):
    """The gradient of λ/2 · w² is λw; halving and doubling a float change none of its digits."""
    penalised = trained(text("ce + 3e-3 / 2 * l2_penalty(all = true)", f"sgd(0.1{momentum})"))
    decayed = trained(text("ce", f"sgd(0.1, weight_decay = 3e-3{momentum})"))
    plain = trained(text("ce", f"sgd(0.1{momentum})"))
    for name, array in decayed.items():
        assert np.array_equal(penalised[name], array), name
        assert not np.array_equal(plain[name], array), name


def trained(written: str, steps: int = 6) -> dict[str, np.ndarray]:
    made = built(written)
    trainer = Trainer(made.graph, made.program, seed=1)
    for _ in range(steps):
        trainer.step(batch())
    return trainer.weights


REGRESSION = """
model Regression {{
    input x: f32[B, 20]
    input y: f32[B, 1]
    fc = linear{{1, bias = false}}
    output guess = fc(x)
    loss total = mean((guess - y) ** 2) + {penalty}
}}
train Regression {{ minimize total with sgd(linear(0.05, 0.0)) }}
"""


def test_absolute_values_make_the_weights_sparse():
    """y is 3 x₀ - 2 x₁ and noise: the lasso finds the two, where squares leave a little of
    everything. At the optimum λ/2 is off each weight of an input of variance 1, here 0.15, twice
    the 1 / √200 by which the noise correlates with an input."""
    rng = np.random.default_rng(11)
    x = rng.normal(size=(200, 20)).astype(np.float32)
    y = (3 * x[:, :1] - 2 * x[:, 1:2] + rng.normal(size=(200, 1))).astype(np.float32)
    small = {}
    for penalty in ("0.3 * l1_penalty(fc)", "0.3 * l2_penalty(fc)"):
        made = built(REGRESSION.format(penalty=penalty))
        trainer = Trainer(made.graph, made.program, seed=0, steps_per_epoch=600, epochs=1)
        for _ in range(600):
            trainer.step({"x": x, "y": y})
        weight = trainer.weights["fc.weight"][0]
        small[penalty] = int((np.abs(weight) < 1e-3).sum())
        assert abs(weight[0]) > 2 and abs(weight[1]) > 1
    assert small["0.3 * l1_penalty(fc)"] == 18
    assert small["0.3 * l2_penalty(fc)"] <= 2


# ------------------------------------------------------------------ what is refused

REFUSED = {
    "before its layer": (text("ce + p", before="p = l2_penalty(body)"), "N470",
                         "`body.block.0.conv.weight` is made here"),
    "before the last layer": (text("ce + p", before="p = l2_penalty()\n"), "N470", "behind it"),
    "of a norm": (text("l2_penalty(body.block.0.bn)"), "N471", "`all = true`"),
    "of what is frozen": (text("ce + l2_penalty(body)", before="body2 = frozen(body)"), "N471",
                          "trained"),
    "of a tensor": (text("ce + l2_penalty(image)"), "N216", "`sum(image ** 2)` takes any tensor"),
    "of what a layer gives": (text("ce + l2_penalty(logits)"), "N216", "`fc`, the layer that"),
    "of what a labelled layer gives": (
        text("ce + l2_penalty(z)", behind="z = h -> side: linear{2}"), "N216",
        "`side = linear{2}`, write `-> side` in its place, and `side` here"),
    "of a label": (text("ce + l2_penalty(side)", behind="z = h -> side: linear{2}"), "N240",
                   "bind the layer above, `side = linear{2}`, and write `-> side`"),
    "of a label's weight": (
        text("ce + l2_penalty(side.weight)", behind="z = h -> side: linear{2}"), "N240",
        "bind the layer above, `side = linear{2}`, and write `-> side`"),
    "where nothing is trained": (
        "model M {\ninput x: f32[B, 3]\noutput y = 2 * x\nloss l = mse(y, 1) + l2_penalty()\n}\n",
        "N471", "leave it out"),
    "of a number": (text("ce + l2_penalty(3)"), "N216", "not the number 3"),
    "of a layer": (text("ce + l1_penalty(Block)"), "N216", "not the layer `Block`"),
    "of a statistic": (text("ce + l2_penalty(body.block.0.bn.running_mean)"), "N216", "a tensor"),
    "with a choice of its own": (text("ce + l2_penalty(body, all = 1)"), "N216", "true or false"),
    "with an argument too many": (text("ce + l2_penalty(body, biases = true)"), "N202", "`all`"),
    "by another name": (text("ce + l2(body)"), "N201", "`l2_penalty(body)` sums the squares"),
    "of nothing known": (text("ce + l2_penalty(boddy)"), "N201", "did you mean `body`?"),
}


@pytest.mark.parametrize("written", REFUSED)
def test_is_refused(written):
    made, code, told = REFUSED[written]
    with pytest.raises(Refused) as refused:
        built(made)
    errors = [problem.code for problem in refused.value.problems if problem.severity == "error"]
    assert errors == [code]
    assert told in str(refused.value)


def test_a_layer_may_penalise_itself():
    inside = text("ce + size").replace("return x\n}\nmodel", "return x, l2_penalty()\n}\nmodel")
    inside = inside.replace("h = image -> body ->", "y, size = body(image)\n    h = y ->")
    outside = text("ce + l2_penalty(body)")
    one, other = (trained(each, 1) for each in (inside, outside))
    assert all(np.array_equal(one[name], other[name]) for name in one)


def test_what_two_applications_share_counts_once():
    twice = text("l2_penalty(body)", behind="again = image -> body -> global_avgpool -> fc")
    graph = built(twice.replace("loss ce =", "loss more = mean(again)\n    loss ce =")).graph
    weights = initialize(graph)
    expected = sum(np.square(weights[name], dtype=np.float64).sum() for name in KERNELS)
    found = Runner(graph, weights).run(batch()).losses["total"]
    assert found == pytest.approx(expected, rel=1e-6)
