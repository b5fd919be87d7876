"""Optimiser updates: a parameter, its gradient, the numbers of this step and the optimiser's memory
in, their next values out. The formulas are PyTorch's, so that trajectories can be compared number
by number.

Numbers (learning rate, decay, momentum …) are operands of type f64[]: some follow a schedule, and
none loses precision before it meets the parameter, in whose dtype the work is done. An op's outputs
are the next parameter, then what follows each operand of its memory: `next_mean` follows `mean`.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import sqrt

import numpy as np

from netdsl.ir.op import Absent, Attrs, Op, ShapeError
from netdsl.ir.tensor import TensorType

NO_GRADIENT = Absent("an optimiser's update is not differentiated")
NO_ONNX = Absent("training runs on NumPy; only inference graphs are exported")


def memory_of(op: Op) -> tuple[str, ...]:
    """The operands of an update that are the optimiser's memory of a parameter."""
    return tuple(name.removeprefix("next_") for name in op.outputs[1:])


def update_shape(op: Op, *types: TensorType | None) -> TensorType | tuple[TensorType, ...]:
    """The types of the next parameter and memory: all as the parameter's."""
    parameter, memory = types[0], memory_of(op)
    made = [parameter]
    for i, (name, type) in enumerate(zip(op.inputs, types)):
        if name.rstrip("?") in ("parameter", "gradient", *memory):
            if type is not None and type != parameter:
                raise ShapeError(f"{type} does not fit the parameter {parameter}", 0, i)
            made += [parameter] * (type is not None and i > 1)
        elif type.shape:
            raise ShapeError(f"`{name}` must be a scalar, not {type}", i)
    return made[0] if len(made) == 1 else tuple(made)


def decayed(parameter: np.ndarray, gradient: np.ndarray, weight_decay: np.ndarray) -> np.ndarray:
    """g + λp"""
    return gradient + float(weight_decay) * parameter if weight_decay else gradient


# ------------------------------------------------------------------ SGD


@dataclass(frozen=True, slots=True)
class SgdAttrs(Attrs):
    nesterov: bool = False


def sgd_shape(a: SgdAttrs, *types: TensorType | None):
    return update_shape(sgd, *types)


def sgd_kernel(
    a: SgdAttrs, parameter: np.ndarray, gradient: np.ndarray, rate: np.ndarray,
    momentum: np.ndarray, dampening: np.ndarray, weight_decay: np.ndarray, step: np.ndarray,
    velocity: np.ndarray | None,
):
    # g ← g + λp;  v ← μv + (1-τ)g, in the first step v ← g
    # p ← p - lr·v   (Nesterov: p ← p - lr·(g + μv))
    rate, momentum = float(rate), float(momentum)
    gradient = decayed(parameter, gradient, weight_decay)
    if velocity is None:
        return parameter - rate * gradient
    velocity = momentum * velocity + share(dampening, step) * gradient
    move = gradient + momentum * velocity if a.nesterov else velocity
    return parameter - rate * move, velocity


def share(dampening: np.ndarray, step: np.ndarray) -> float:
    """What of a gradient enters the velocity: 1 - τ; all of the first."""
    return 1 - float(dampening) if int(step) > 1 else 1.0


sgd = Op(
    name="sgd",
    inputs=("parameter", "gradient", "rate", "momentum", "dampening", "weight_decay", "step",
            "velocity?"),
    outputs=("next", "next_velocity"), attrs=SgdAttrs,
    shape=sgd_shape, kernel=sgd_kernel, gradient=NO_GRADIENT, onnx=NO_ONNX,
    doc="Stochastic gradient descent, with a velocity for momentum (Nesterov's too), and L2 decay; "
        "`step` counts from 1.",
)


# ------------------------------------------------------------------ AdaGrad


def adagrad_shape(a: Attrs, *types: TensorType | None):
    return update_shape(adagrad, *types)


def adagrad_kernel(
    a: Attrs, parameter: np.ndarray, gradient: np.ndarray, rate: np.ndarray, lr_decay: np.ndarray,
    eps: np.ndarray, weight_decay: np.ndarray, step: np.ndarray, total: np.ndarray,
):
    # g ← g + λp;  s ← s + g²;  p ← p - lr/(1 + (t-1)·η) · g / (√s + ε)
    gradient = decayed(parameter, gradient, weight_decay)
    total = total + gradient * gradient
    pace = float(rate) / (1 + (int(step) - 1) * float(lr_decay))
    return parameter - pace * (gradient / (np.sqrt(total) + float(eps))), total


adagrad = Op(
    name="adagrad",
    inputs=("parameter", "gradient", "rate", "lr_decay", "eps", "weight_decay", "step", "total"),
    outputs=("next", "next_total"),
    shape=adagrad_shape, kernel=adagrad_kernel, gradient=NO_GRADIENT, onnx=NO_ONNX,
    doc="AdaGrad (Duchi et al. 2011) with L2 decay; `step` counts from 1.",
)


# ------------------------------------------------------------------ RMSProp


def rmsprop_shape(a: Attrs, *types: TensorType | None):
    return update_shape(rmsprop, *types)


def rmsprop_kernel(
    a: Attrs, parameter: np.ndarray, gradient: np.ndarray, rate: np.ndarray, alpha: np.ndarray,
    momentum: np.ndarray, eps: np.ndarray, weight_decay: np.ndarray, square: np.ndarray,
    mean: np.ndarray | None, velocity: np.ndarray | None,
):
    # g ← g + λp;  s ← αs + (1-α)g²;  centred: m ← αm + (1-α)g and s - m² in place of s below
    # u = g / (√s + ε);  p ← p - lr·u, or with a velocity  v ← μv + u;  p ← p - lr·v
    rate, alpha = float(rate), float(alpha)
    gradient = decayed(parameter, gradient, weight_decay)
    square = alpha * square + (1 - alpha) * gradient * gradient
    memory, variance = [square], square
    if mean is not None:
        mean = mean + (1 - alpha) * (gradient - mean)
        memory.append(mean)
        variance = np.maximum(square - mean * mean, 0)  # rounding can take it below
    move = gradient / (np.sqrt(variance) + float(eps))
    if velocity is not None:
        move = float(momentum) * velocity + move
        memory.append(move)
    return parameter - rate * move, *memory


rmsprop = Op(
    name="rmsprop",
    inputs=("parameter", "gradient", "rate", "alpha", "momentum", "eps", "weight_decay", "square",
            "mean?", "velocity?"),
    outputs=("next", "next_square", "next_mean", "next_velocity"),
    shape=rmsprop_shape, kernel=rmsprop_kernel, gradient=NO_GRADIENT, onnx=NO_ONNX,
    doc="RMSProp (Hinton 2012), with a `mean` centred (Graves 2013), with a `velocity` for "
        "momentum, and L2 decay.",
)


# ------------------------------------------------------------------ Adam


@dataclass(frozen=True, slots=True)
class AdamAttrs(Attrs):
    decoupled: bool = False


def adam_shape(a: AdamAttrs, *types: TensorType | None):
    return update_shape(adam, *types)


def adam_kernel(
    a: AdamAttrs, parameter: np.ndarray, gradient: np.ndarray, rate: np.ndarray,
    beta1: np.ndarray, beta2: np.ndarray, eps: np.ndarray, weight_decay: np.ndarray,
    step: np.ndarray, mean: np.ndarray, square: np.ndarray, largest: np.ndarray | None,
):
    # m ← β₁m + (1-β₁)g;  s ← β₂s + (1-β₂)g²;  p ← p - lr/(1-β₁ᵗ) · m / (√s/√(1-β₂ᵗ) + ε)
    # with decay λ:  g ← g + λp before all that, or decoupled  p ← (1 - lr·λ)p
    # AMSGrad: l ← max(l, s), and l in place of s below the root
    rate, beta1, beta2, t = float(rate), float(beta1), float(beta2), int(step)
    if a.decoupled:
        parameter = (1 - rate * float(weight_decay)) * parameter
    else:
        gradient = decayed(parameter, gradient, weight_decay)
    mean = mean + (1 - beta1) * (gradient - mean)
    square = beta2 * square + (1 - beta2) * gradient * gradient
    memory, scale = [mean, square], square
    if largest is not None:
        scale = np.maximum(largest, square)
        memory.append(scale)
    root = np.sqrt(scale) / sqrt(1 - beta2**t) + float(eps)
    return parameter - rate / (1 - beta1**t) * (mean / root), *memory


adam = Op(
    name="adam",
    inputs=("parameter", "gradient", "rate", "beta1", "beta2", "eps", "weight_decay", "step",
            "mean", "square", "largest?"),
    outputs=("next", "next_mean", "next_square", "next_largest"), attrs=AdamAttrs,
    shape=adam_shape, kernel=adam_kernel, gradient=NO_GRADIENT, onnx=NO_ONNX,
    doc="Adam (Kingma & Ba 2015), with `largest` AMSGrad (Reddi et al. 2018), with L2 decay, or "
        "with decoupled decay (Loshchilov & Hutter 2019); `step` counts from 1.",
)

OPS = (sgd, adagrad, rmsprop, adam)
