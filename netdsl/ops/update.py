"""Optimiser updates: a parameter, its gradient and the optimiser's memory in, their next values
out. The formulas are PyTorch's, so that trajectories can be compared number by number."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from netdsl.ir.op import Absent, Attrs, Op, ShapeError
from netdsl.ir.tensor import TensorType

NO_GRADIENT = Absent("an optimiser's update is not differentiated")
NO_ONNX = Absent("training runs on NumPy; only inference graphs are exported")


def update_shape(
    parameter: TensorType, gradient: TensorType, slots: tuple[TensorType, ...], rate: TensorType
) -> tuple[TensorType, ...]:
    """The types of the next parameter and slots, all as the parameter's."""
    for i, tensor in enumerate((gradient, *slots), 1):
        if tensor != parameter:
            raise ShapeError(f"{tensor} does not fit the parameter {parameter}", 0, i)
    if rate.shape:
        raise ShapeError(f"the learning rate must be a scalar, not {rate}")
    return (parameter, *slots)


# ------------------------------------------------------------------ SGD


@dataclass(frozen=True, slots=True)
class SgdAttrs(Attrs):
    momentum: float = 0.0
    weight_decay: float = 0.0
    nesterov: bool = False


def sgd_shape(
    a: SgdAttrs, parameter: TensorType, gradient: TensorType, rate: TensorType,
    velocity: TensorType | None,
):
    types = update_shape(parameter, gradient, () if velocity is None else (velocity,), rate)
    return types if velocity is not None else types[0]


def sgd_kernel(
    a: SgdAttrs, parameter: np.ndarray, gradient: np.ndarray, rate: np.ndarray,
    velocity: np.ndarray | None,
):
    # v ← μ·v + g;  p ← p - lr·v   (Nesterov: p ← p - lr·(g + μ·v))
    if a.weight_decay:
        gradient = gradient + a.weight_decay * parameter
    if velocity is None:
        return parameter - rate * gradient
    velocity = a.momentum * velocity + gradient
    step = gradient + a.momentum * velocity if a.nesterov else velocity
    return parameter - rate * step, velocity


sgd = Op(
    name="sgd", inputs=("parameter", "gradient", "rate", "velocity?"),
    outputs=("next", "next_velocity"), attrs=SgdAttrs,
    shape=sgd_shape, kernel=sgd_kernel, gradient=NO_GRADIENT, onnx=NO_ONNX,
    doc="Stochastic gradient descent with optional momentum (Nesterov's too) and L2 decay.",
)


# ------------------------------------------------------------------ Adam


@dataclass(frozen=True, slots=True)
class AdamAttrs(Attrs):
    beta1: float = 0.9
    beta2: float = 0.999
    eps: float = 1e-8
    weight_decay: float = 0.0
    decoupled: bool = False


def adam_shape(
    a: AdamAttrs, parameter: TensorType, gradient: TensorType, rate: TensorType,
    mean: TensorType, square: TensorType, step: TensorType,
):
    return update_shape(parameter, gradient, (mean, square), rate)


def adam_kernel(
    a: AdamAttrs, parameter: np.ndarray, gradient: np.ndarray, rate: np.ndarray,
    mean: np.ndarray, square: np.ndarray, step: np.ndarray,
):
    # m ← β₁m + (1-β₁)g;  s ← β₂s + (1-β₂)g²;  p ← p - lr/(1-β₁ᵗ) · m / (√s/√(1-β₂ᵗ) + ε)
    # with decay λ:  g ← g + λp before all that, or decoupled  p ← (1 - lr·λ)p
    if a.decoupled:
        parameter = parameter * parameter.dtype.type(1 - float(rate) * a.weight_decay)
    elif a.weight_decay:
        gradient = gradient + a.weight_decay * parameter
    mean = mean + (1 - a.beta1) * (gradient - mean)
    square = a.beta2 * square + (1 - a.beta2) * gradient * gradient
    t = int(step)
    pace = float(rate) / (1 - a.beta1**t)
    root = np.sqrt(square) / np.sqrt(1 - a.beta2**t).astype(square.dtype) + a.eps
    return parameter - parameter.dtype.type(pace) * (mean / root), mean, square


adam = Op(
    name="adam", inputs=("parameter", "gradient", "rate", "mean", "square", "step"),
    outputs=("next", "next_mean", "next_square"), attrs=AdamAttrs,
    shape=adam_shape, kernel=adam_kernel, gradient=NO_GRADIENT, onnx=NO_ONNX,
    doc="Adam (Kingma & Ba 2015) with L2 decay, or with decoupled decay (Loshchilov & Hutter "
        "2019); `step` counts from 1.",
)

OPS = (sgd, adam)
