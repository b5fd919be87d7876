"""Optimisers: rows that emit the update of one parameter.

To add one, write its operation in `ops/update.py`, then a frozen dataclass after `Optimizer` here,
and enter it into `OPTIMIZERS`. Its fields are the arguments; those called as an operand of the
operation are the numbers of its formula, those called as an attribute its flags.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, fields
from typing import Annotated, Any, ClassVar, TypeAlias

from netdsl.ir.graph import Emitter, Value
from netdsl.ir.op import Op
from netdsl.layers.arguments import Kind
from netdsl.ops import update
from netdsl.registry import BelowOne, Flag, NotNegative, Positive, Table, kind_of, list_of
from netdsl.training.schedules import Rate, Schedule, scheduled

Number: TypeAlias = float | Schedule
Share = Annotated[Number, scheduled(kind_of(BelowOne))]
Decay = Annotated[Number, scheduled(kind_of(NotNegative))]
Margin = Annotated[Number, scheduled(kind_of(Positive))]
Betas = Annotated[
    tuple[Number, Number],
    Kind("two numbers from 0 to below 1", list_of(scheduled(kind_of(BelowOne)).convert, count=2)),
]


@dataclass(frozen=True)
class Optimizer:
    """Base of the rows. `lr` is the learning rate. Every number of a formula may follow a
    schedule, of which each step takes the value of its moment."""

    lr: Rate

    op: ClassVar[Op]

    def numbers(self) -> dict[str, Number]:
        """The numbers of the formula, by operand: the learning rate is `rate`, the `betas` are
        `beta1` and `beta2`."""
        given = {field.name: getattr(self, field.name) for field in fields(self)}
        given |= {f"beta{i}": beta for i, beta in enumerate(given.get("betas", ()), 1)}
        given["rate"] = self.lr
        return {name: given[name] for name in self.op.inputs if name in given}

    def schedules(self) -> Iterator[Schedule]:
        """Those that the numbers follow, that of the learning rate among them."""
        return (number for number in self.numbers().values() if isinstance(number, Schedule))

    @property
    def slots(self) -> dict[str, float]:
        """The memory kept for each parameter: operands of the update, each with the number that
        all its elements begin as. A slot has the parameter's type."""
        return {}

    def update(
        self, emit: Emitter, parameter: Value, gradient: Value, numbers: Mapping[str, Value],
        step: Value, slots: Mapping[str, Value],
    ) -> tuple[Value, dict[str, Value]]:
        """Emits the next parameter and the next of each slot. `numbers` are f64[] by operand;
        `step` is i64[] and counts from 1."""
        operands = {"parameter": parameter, "gradient": gradient, "step": step, **numbers, **slots}
        flags: Any = self.op.attrs(**{
            field.name: getattr(self, field.name) for field in fields(self.op.attrs)
        })
        following, *memory = emit.outputs(
            self.op, (operands.get(name.rstrip("?")) for name in self.op.inputs), flags
        )
        return following, dict(zip(slots, memory, strict=True))


@dataclass(frozen=True)
class Sgd(Optimizer):
    """Stochastic gradient descent; `momentum` keeps a velocity, `nesterov` looks ahead along it,
    `weight_decay` adds that multiple of the parameter to its gradient. As PyTorch's SGD:

        g ← g + weight_decay · p
        v ← momentum · v + (1 - dampening) · g      in the first step v ← g
        p ← p - lr · v                              with nesterov  p ← p - lr · (g + momentum · v)

    The learning rate stands outside of the velocity, so that a schedule acts at once.
    """

    momentum: Share = 0.0
    weight_decay: Decay = 0.0
    nesterov: Flag = False
    dampening: Share = 0.0

    op = update.sgd

    def __post_init__(self) -> None:
        if self.nesterov and not self.momentum:
            raise ValueError("`nesterov` needs a `momentum` above 0")
        if self.nesterov and self.dampening:
            raise ValueError("`nesterov` goes with no `dampening`")
        if self.dampening and not self.momentum:
            raise ValueError("`dampening` needs a `momentum` above 0")

    @property
    def slots(self) -> dict[str, float]:
        return {"velocity": 0.0} if self.momentum else {}


@dataclass(frozen=True)
class AdaGrad(Optimizer):
    """AdaGrad (Duchi et al. 2011): each element's steps shrink with the squares of all its
    gradients so far. As PyTorch's Adagrad:

        g ← g + weight_decay · p
        s ← s + g²                                  it begins as `initial_accumulator_value`
        p ← p - lr / (1 + (t - 1) · lr_decay) · g / (√s + eps)      t counts steps from 1
    """

    lr_decay: Decay = 0.0
    weight_decay: Decay = 0.0
    initial_accumulator_value: NotNegative = 0.0
    eps: Margin = 1e-10

    op = update.adagrad

    @property
    def slots(self) -> dict[str, float]:
        return {"total": self.initial_accumulator_value}


@dataclass(frozen=True)
class RmsProp(Optimizer):
    """RMSProp (Hinton 2012): steps scaled by a running mean of the gradient's square; `centered`
    takes the square of its mean away (Graves 2013), `momentum` keeps a velocity. As PyTorch's
    RMSprop:

        g ← g + weight_decay · p
        s ← alpha · s + (1 - alpha) · g²
        m ← alpha · m + (1 - alpha) · g             centered: s - m² stands for s below
        u ← g / (√s + eps)
        p ← p - lr · u                              with momentum  v ← momentum · v + u;
                                                    p ← p - lr · v
    """

    alpha: Share = 0.99
    eps: Margin = 1e-8
    weight_decay: Decay = 0.0
    momentum: Share = 0.0
    centered: Flag = False

    op = update.rmsprop

    @property
    def slots(self) -> dict[str, float]:
        kept = {"square": True, "mean": self.centered, "velocity": self.momentum}
        return {name: 0.0 for name, is_kept in kept.items() if is_kept}


@dataclass(frozen=True)
class Adam(Optimizer):
    """Adam (Kingma & Ba 2015): steps scaled by running means of the gradient and its square.
    `weight_decay` adds that multiple of the parameter to its gradient; `amsgrad` scales by the
    largest mean square so far (Reddi et al. 2018). As PyTorch's Adam, `eps` outside of the root:

        g ← g + weight_decay · p
        m ← beta1 · m + (1 - beta1) · g
        s ← beta2 · s + (1 - beta2) · g²            amsgrad: the largest s so far stands below
        p ← p - lr / (1 - beta1ᵗ) · m / (√s / √(1 - beta2ᵗ) + eps)      t counts steps from 1
    """

    betas: Betas = (0.9, 0.999)
    eps: Margin = 1e-8
    weight_decay: Decay = 0.0
    amsgrad: Flag = False

    op = update.adam
    decoupled: ClassVar[bool] = False  # whether the decay goes past the gradient

    @property
    def slots(self) -> dict[str, float]:
        kept = ("mean", "square", "largest") if self.amsgrad else ("mean", "square")
        return dict.fromkeys(kept, 0.0)


@dataclass(frozen=True)
class AdamW(Adam):
    """Adam with decoupled weight decay (Loshchilov & Hutter 2019): the parameter shrinks by
    lr · `weight_decay` of itself, which Adam's means never see. As PyTorch's AdamW."""

    weight_decay: Decay = 0.01

    decoupled: ClassVar[bool] = True


OPTIMIZERS = Table("optimiser", {
    "sgd": Sgd, "adagrad": AdaGrad, "rmsprop": RmsProp, "adam": Adam, "adamw": AdamW,
})
