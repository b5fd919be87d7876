"""Optimisers: rows that emit the update of one parameter.

To add one, write its operation in `ops/update.py`, then a frozen dataclass after `Optimizer` here,
and enter it into `OPTIMIZERS`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, fields
from typing import Annotated, Any, ClassVar, TypeAlias

from netdsl.ir.graph import Emitter, Value
from netdsl.layers.arguments import Kind
from netdsl.ops.update import adam, sgd
from netdsl.registry import BelowOne, Flag, NotNegative, Positive, Table, kind_of, list_of
from netdsl.training.schedules import Rate, Schedule, scheduled

Number: TypeAlias = float | Schedule
Momentum = Annotated[Number, scheduled(kind_of(BelowOne))]
Decay = Annotated[Number, scheduled(kind_of(NotNegative))]
Margin = Annotated[Number, scheduled(kind_of(Positive))]
Betas = Annotated[
    tuple[Number, Number],
    Kind("two numbers from 0 to below 1", list_of(scheduled(kind_of(BelowOne)).convert, count=2)),
]


@dataclass(frozen=True)
class Optimizer:
    """Base of the rows. `lr` is the learning rate. Every number may follow a schedule."""

    lr: Rate

    def scheduled(self) -> Iterator[str]:
        """The arguments besides `lr` that follow a schedule."""
        for field in fields(self):
            value: Any = getattr(self, field.name)
            parts = value if isinstance(value, tuple) else (value,)
            if field.name != "lr" and any(isinstance(part, Schedule) for part in parts):
                yield field.name

    @property
    def slots(self) -> tuple[str, ...]:
        """Names of the memory kept for each parameter. A slot has the parameter's type and begins
        as zeros."""
        return ()

    def update(
        self, emit: Emitter, parameter: Value, gradient: Value, rate: Value, step: Value,
        slots: Mapping[str, Value],
    ) -> tuple[Value, dict[str, Value]]:
        """Emits the next parameter and the next of each slot. `rate` is the learning rate of the
        step, f32[]; `step` is i64[] and counts from 1."""
        raise NotImplementedError


@dataclass(frozen=True)
class Sgd(Optimizer):
    """Stochastic gradient descent; `momentum` keeps a velocity, `nesterov` looks ahead along it,
    `weight_decay` adds that multiple of the parameter to its gradient. As PyTorch's SGD."""

    momentum: Momentum = 0.0
    weight_decay: Decay = 0.0
    nesterov: Flag = False

    def __post_init__(self) -> None:
        if self.nesterov and not self.momentum:
            raise ValueError("`nesterov` needs a `momentum` above 0")

    @property
    def slots(self) -> tuple[str, ...]:
        return ("momentum",) if self.momentum else ()

    def update(self, emit, parameter, gradient, rate, step, slots):
        settings = {"momentum": self.momentum, "weight_decay": self.weight_decay,
                    "nesterov": self.nesterov}
        velocity = slots.get("momentum")
        if velocity is None:
            return emit(sgd, parameter, gradient, rate, None, **settings), {}
        following, velocity = emit(sgd, parameter, gradient, rate, velocity, **settings)
        return following, {"momentum": velocity}


@dataclass(frozen=True)
class Adam(Optimizer):
    """Adam (Kingma & Ba 2015): steps scaled by running means of the gradient and its square.
    `weight_decay` adds that multiple of the parameter to its gradient. As PyTorch's Adam."""

    betas: Betas = (0.9, 0.999)
    eps: Margin = 1e-8
    weight_decay: Decay = 0.0

    decoupled: ClassVar[bool] = False  # whether the decay goes past the gradient

    @property
    def slots(self) -> tuple[str, ...]:
        return ("mean", "square")

    def update(self, emit, parameter, gradient, rate, step, slots):
        following, mean, square = emit(
            adam, parameter, gradient, rate, slots["mean"], slots["square"], step,
            beta1=self.betas[0], beta2=self.betas[1], eps=self.eps,
            weight_decay=self.weight_decay, decoupled=self.decoupled,
        )
        return following, {"mean": mean, "square": square}


@dataclass(frozen=True)
class AdamW(Adam):
    """Adam with decoupled weight decay (Loshchilov & Hutter 2019): the parameter shrinks by
    lr · `weight_decay` of itself, which Adam's means never see. As PyTorch's AdamW."""

    weight_decay: Decay = 0.01

    decoupled: ClassVar[bool] = True


OPTIMIZERS = Table("optimiser", {"sgd": Sgd, "adam": Adam, "adamw": AdamW})
