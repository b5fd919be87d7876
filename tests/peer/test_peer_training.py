"""A hundred steps of a small convolutional network with batch norm beside PyTorch's own modules and
optimisers, from the same weights over the same batches: every parameter and running statistic.

Every optimiser trains the network with smooth activations; the best known ones train it with ReLU
and max pooling too. There a sum that rounding puts on the other side of 0, in one of the two, now
and then leaves more than 1e-5 by itself: PyTorch's float32 is then as far from its own float64.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pytest
import torch
from torch import nn

from netdsl.build.modules import load_module
from netdsl.compiler import Built, build, choose
from netdsl.diagnostics import Report
from netdsl.source import Source
from netdsl.training.trainer import Trainer

SMALL = """
model Small {{
    input image: {dtype}[B, 3, 12, 12]
    input label: i64[B] in 0..5

    x = image -> conv1: conv{{8, k = 3, pad = 1, bias = false}} -> bn1: batchnorm{{}} -> {act}
    x = x -> {pool}(2) -> conv2: conv{{16, k = 3, stride = 2, bias = false}} -> bn2: batchnorm{{}}
    output logits = x -> {act} -> flatten -> fc: linear{{5}}
    loss ce = cross_entropy(logits, label)
}}
train Small {{ epochs 10  minimize ce with {how} }}
"""
BATCH, STEPS, STEPS_PER_EPOCH = 32, 100, 10
NUMPY = {"f32": np.float32, "f64": np.float64}
TORCH = {"f32": torch.float32, "f64": torch.float64}


WORDS = {"smooth": {"act": "silu", "pool": "avgpool"}, "kinked": {"act": "relu", "pool": "maxpool"}}
MODULES = {"silu": nn.SiLU, "avgpool": nn.AvgPool2d, "relu": nn.ReLU, "maxpool": nn.MaxPool2d}


def twin(act: str, pool: str) -> nn.Sequential:
    """The same in PyTorch's modules, which name their parameters alike."""
    net = nn.Sequential()
    net.add_module("conv1", nn.Conv2d(3, 8, 3, padding=1, bias=False))
    net.add_module("bn1", nn.BatchNorm2d(8))
    net.add_module("act1", MODULES[act]())
    net.add_module("pool", MODULES[pool](2))
    net.add_module("conv2", nn.Conv2d(8, 16, 3, stride=2, bias=False))
    net.add_module("bn2", nn.BatchNorm2d(16))
    net.add_module("act2", MODULES[act]())
    net.add_module("flatten", nn.Flatten())
    net.add_module("fc", nn.Linear(64, 5))
    return net


@dataclass(frozen=True)
class Row:
    """An optimiser in both tongues; `later` sets the group of PyTorch's before a step, of which it
    gets the number from 0 as a part of all."""

    ours: str
    theirs: Callable[..., torch.optim.Optimizer]
    later: Callable[[dict, float], None] = lambda group, part: None


def following(group: dict, part: float) -> None:
    group["lr"] = 0.02 * (1 - part)
    group["momentum"] = 0.5 + 0.4 * part
    group["weight_decay"] = 1e-2 * (1 - part)


def following_betas(group: dict, part: float) -> None:
    group["betas"] = 0.95 - 0.1 * part, 0.99
    group["weight_decay"] = 0.1 * part


ROWS = {
    "sgd": Row("sgd(0.02, momentum = 0.9)", lambda ps: torch.optim.SGD(ps, 0.02, 0.9)),
    "nesterov": Row(
        "sgd(0.02, momentum = 0.9, nesterov = true, weight_decay = 5e-4)",
        lambda ps: torch.optim.SGD(ps, 0.02, 0.9, nesterov=True, weight_decay=5e-4)),
    "adam": Row("adam(1e-3)", lambda ps: torch.optim.Adam(ps, 1e-3)),
    "amsgrad": Row("adam(1e-3, amsgrad = true)",
                   lambda ps: torch.optim.Adam(ps, 1e-3, amsgrad=True)),
    "adamw": Row("adamw(1e-3)", lambda ps: torch.optim.AdamW(ps, 1e-3)),
    "rmsprop": Row("rmsprop(3e-4, momentum = 0.5)",
                   lambda ps: torch.optim.RMSprop(ps, 3e-4, momentum=0.5)),
    "centered": Row("rmsprop(3e-4, centered = true)",
                    lambda ps: torch.optim.RMSprop(ps, 3e-4, centered=True)),
    "adagrad": Row("adagrad(0.01)", lambda ps: torch.optim.Adagrad(ps, 0.01)),
    "sgd, all scheduled": Row(
        "sgd(linear(0.02), momentum = linear(0.5, 0.9), weight_decay = linear(1e-2))",
        lambda ps: torch.optim.SGD(ps, 0.02, 0.5, weight_decay=1e-2), following),
    "adamw, scheduled": Row(
        "adamw(1e-3, betas = (linear(0.95, 0.85), 0.99), weight_decay = linear(0.0, 0.1))",
        lambda ps: torch.optim.AdamW(ps, 1e-3), following_betas),
}


def built(**words: str) -> Built:
    report = Report()
    module = load_module(Source("small.net", SMALL.format(**words)), report)
    return build(module, choose(module, None), report)


def batches(dtype: str) -> list[dict[str, np.ndarray]]:
    """Classes are centres in noise, so that there is something to learn."""
    rng = np.random.default_rng(7)
    centres = rng.normal(size=(5, 3, 12, 12))
    labels = rng.integers(0, 5, (STEPS, BATCH))
    return [{"image": (centres[label] + rng.normal(size=(BATCH, 3, 12, 12))).astype(NUMPY[dtype]),
             "label": label} for label in labels]


def apart(
    row: Row, words: dict[str, str], dtype: str, steps: int
) -> tuple[dict[str, float], list[float]]:
    """The largest difference of each tensor after so many steps, and PyTorch's losses."""
    made = built(how=row.ours, dtype=dtype, **words)
    trainer = Trainer(made.graph, made.program, seed=1, steps_per_epoch=STEPS_PER_EPOCH)
    net = twin(**words).to(TORCH[dtype])
    own = net.state_dict()
    begun = {name: torch.tensor(array) for name, array in trainer.weights.items()}
    assert begun.keys() == {name for name in own if not name.endswith("num_batches_tracked")}
    net.load_state_dict(own | begun)
    optimizer, losses = row.theirs(net.parameters()), []
    for step, batch in enumerate(batches(dtype)[:steps]):
        row.later(optimizer.param_groups[0], step / STEPS)
        optimizer.zero_grad()
        loss = nn.functional.cross_entropy(net(torch.tensor(batch["image"])),
                                           torch.tensor(batch["label"]))
        loss.backward()
        optimizer.step()
        losses.append(float(loss.detach()))
        found = trainer.step(batch)["ce"]
        assert found == pytest.approx(losses[-1], rel=1e-4 if dtype == "f32" else 1e-11)
    theirs = net.state_dict()
    return {name: float(np.abs(array - theirs[name].numpy()).max())
            for name, array in trainer.weights.items()}, losses


@pytest.mark.parametrize(("name", "kind"), [
    *((name, "smooth") for name in ROWS),
    *((name, "kinked") for name in ("sgd", "nesterov", "adam")),
])
@pytest.mark.parametrize(("dtype", "steps", "most"), [("f32", STEPS, 1e-5), ("f64", 10, 1e-10)],
                         ids=["100 steps in float32", "10 steps in float64"])
def test_steps_beside_pytorch(name, kind, dtype, steps, most, record_property):
    found, losses = apart(ROWS[name], WORDS[kind], dtype, steps)
    worst = max(found, key=found.__getitem__)
    record_property("largest difference", found[worst])
    print(f"{name}, {kind}, {steps} steps in {dtype}: at most {found[worst]:.1e} apart, in {worst}")
    assert found[worst] <= most, found
    assert steps < STEPS or np.mean(losses[-5:]) < 0.5 * losses[0]  # it did learn
