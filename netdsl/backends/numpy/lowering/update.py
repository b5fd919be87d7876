"""Optimiser updates, in place in the variables, a block of elements at a time."""

from __future__ import annotations

import numpy as np

BLOCK = 1 << 16  # elements: a block's operands and scratch stay in the second-level cache


def sgd(
    parameter: np.ndarray, gradient: np.ndarray, rate: np.ndarray, velocity: np.ndarray | None,
    momentum: float, weight_decay: float, nesterov: bool, next_parameter: np.ndarray,
    next_velocity: np.ndarray | None, flow: np.ndarray, step: np.ndarray,
) -> None:
    """v ← μ·v + g;  p ← p - lr·v   (Nesterov: p ← p - lr·(g + μ·v)). All flat; `flow` and `step`
    are scratch of a block's length."""
    for start in range(0, len(parameter), BLOCK):
        here = slice(start, start + BLOCK)
        p, g = parameter[here], gradient[here]
        out = step[: len(p)]
        if weight_decay:
            decayed = flow[: len(p)]
            np.multiply(p, weight_decay, out=decayed)
            g = np.add(decayed, g, out=decayed)
        if velocity is not None:
            v = next_velocity[here]
            np.multiply(velocity[here], momentum, out=v)
            np.add(v, g, out=v)
            if nesterov:
                np.multiply(v, momentum, out=out)
                g = np.add(out, g, out=out)
            else:
                g = v
        np.multiply(g, rate, out=out)
        np.subtract(p, out, out=next_parameter[here])


def sgd_rule(emit, node) -> None:
    a, velocity = node.attrs, node.inputs[3]
    parameter, gradient = (emit.read_dense(value) for value in node.inputs[:2])
    rate = emit.read(node.inputs[2])
    old = None if velocity is None else emit.read_dense(velocity)
    made = emit.write(node.outputs[0], over=node.inputs[:1])
    moved = None if velocity is None else emit.write(node.outputs[1], over=(velocity,))
    flow, step = blocks(emit, made, 2)
    emit(
        sgd, line(parameter), line(gradient), rate, line(old), a.momentum, a.weight_decay,
        a.nesterov, next_parameter=line(made), next_velocity=line(moved), flow=flow, step=step,
    )


def adam(
    parameter: np.ndarray, gradient: np.ndarray, rate: np.ndarray, mean: np.ndarray,
    square: np.ndarray, step: np.ndarray, beta1: float, beta2: float, eps: float,
    weight_decay: float, next_parameter: np.ndarray, next_mean: np.ndarray,
    next_square: np.ndarray, flow: np.ndarray, root: np.ndarray,
) -> None:
    """m ← β₁m + (1-β₁)g;  s ← β₂s + (1-β₂)g²;  p ← p - lr/(1-β₁ᵗ) · m / (√s/√(1-β₂ᵗ) + ε).

    All flat; `flow` and `root` are scratch of a block's length.
    """
    t = int(step)
    pace, reach = float(rate) / (1 - beta1**t), float(np.sqrt(1 - beta2**t))
    for start in range(0, len(parameter), BLOCK):
        here = slice(start, start + BLOCK)
        p, g, m, s = parameter[here], gradient[here], next_mean[here], next_square[here]
        work, out = flow[: len(p)], root[: len(p)]
        if weight_decay:
            np.multiply(p, weight_decay, out=work)
            g = np.add(work, g, out=work)
        np.subtract(g, mean[here], out=out)
        np.multiply(out, 1 - beta1, out=out)
        np.add(mean[here], out, out=m)
        np.multiply(g, g, out=work)
        np.multiply(work, 1 - beta2, out=work)
        np.multiply(square[here], beta2, out=s)
        np.add(s, work, out=s)
        np.sqrt(s, out=out)
        np.divide(out, reach, out=out)
        np.add(out, eps, out=out)
        np.divide(m, out, out=out)
        np.multiply(out, pace, out=out)
        np.subtract(p, out, out=next_parameter[here])


def adam_rule(emit, node) -> None:
    a = node.attrs
    parameter, gradient = (emit.read_dense(value) for value in node.inputs[:2])
    rate, step = emit.read(node.inputs[2]), emit.read(node.inputs[5])
    mean, square = (emit.read_dense(value) for value in node.inputs[3:5])
    made = [
        emit.write(out, over=(old,))
        for out, old in zip(node.outputs, (node.inputs[0], *node.inputs[3:5]))
    ]
    following, next_mean, next_square = map(line, made)
    flow, root = blocks(emit, following, 2)
    emit(
        adam, line(parameter), line(gradient), rate, line(mean), line(square), step, a.beta1,
        a.beta2, a.eps, a.weight_decay, next_parameter=following, next_mean=next_mean,
        next_square=next_square, flow=flow, root=root,
    )


def line(view):
    """All elements as one axis."""
    return None if view is None else view.reshape(view.size)


def blocks(emit, like, count: int):
    """Scratch of a block's length."""
    return [emit.scratch((min(BLOCK, like.size),), like.dtype) for _ in range(count)]


RULES = {"sgd": sgd_rule, "adam": adam_rule}
