"""Optimiser updates, in place in the variables, a block of elements at a time."""

from __future__ import annotations

import numpy as np

from netdsl.backends.numpy.emitter import CallEmitter
from netdsl.backends.numpy.view import View
from netdsl.ir.graph import Node, Value

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


def sgd_rule(emit: CallEmitter, node: Node) -> None:
    a, rate, velocity = node.attrs, emit.read(node.inputs[2]), node.inputs[3]
    parameter, gradient = lines(emit, node.inputs[:2])
    old = None if velocity is None else line(emit.read_dense(velocity))
    made = line(emit.write(node.outputs[0], over=node.inputs[:1]))
    moved = None if velocity is None else line(emit.write(node.outputs[1], over=(velocity,)))
    for start, stop in emit.parts(parameter.size, 4 * parameter.size):
        flow, step = blocks(emit, stop - start, made)
        emit(
            sgd, parameter.rows(start, stop), gradient.rows(start, stop), rate,
            old and old.rows(start, stop), a.momentum, a.weight_decay, a.nesterov,
            next_parameter=made.rows(start, stop), next_velocity=moved and moved.rows(start, stop),
            flow=flow, step=step,
        )


def adam(
    parameter: np.ndarray, gradient: np.ndarray, rate: np.ndarray, mean: np.ndarray,
    square: np.ndarray, step: np.ndarray, beta1: float, beta2: float, eps: float,
    weight_decay: float, decoupled: bool, next_parameter: np.ndarray, next_mean: np.ndarray,
    next_square: np.ndarray, flow: np.ndarray, root: np.ndarray,
) -> None:
    """m ← β₁m + (1-β₁)g;  s ← β₂s + (1-β₂)g²;  p ← p - lr/(1-β₁ᵗ) · m / (√s/√(1-β₂ᵗ) + ε).

    The decay λ adds λp to g, or decoupled takes lr·λ of p away. All flat; `flow` and `root` are
    scratch of a block's length.
    """
    t = int(step)
    left = 1 - float(rate) * weight_decay
    pace, reach = float(rate) / (1 - beta1**t), float(np.sqrt(1 - beta2**t))
    for start in range(0, len(parameter), BLOCK):
        here = slice(start, start + BLOCK)
        p, g, m, s = parameter[here], gradient[here], next_mean[here], next_square[here]
        work, out = flow[: len(p)], root[: len(p)]
        if weight_decay and not decoupled:
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
        if decoupled:
            p = np.multiply(p, left, out=work)
        np.subtract(p, out, out=next_parameter[here])


def adam_rule(emit: CallEmitter, node: Node) -> None:
    a, rate, step = node.attrs, emit.read(node.inputs[2]), emit.read(node.inputs[5])
    olds = (node.inputs[0], *node.inputs[3:5])
    parameter, gradient, mean, square = lines(emit, (*node.inputs[:2], *node.inputs[3:5]))
    following = [line(emit.write(y, over=(old,))) for y, old in zip(node.outputs, olds)]
    for start, stop in emit.parts(parameter.size, 8 * parameter.size):
        flow, root = blocks(emit, stop - start, parameter)
        p, m, s = (view.rows(start, stop) for view in following)
        emit(
            adam, parameter.rows(start, stop), gradient.rows(start, stop), rate,
            mean.rows(start, stop), square.rows(start, stop), step, a.beta1, a.beta2, a.eps,
            a.weight_decay, a.decoupled, next_parameter=p, next_mean=m, next_square=s, flow=flow,
            root=root,
        )


def line(view: View) -> View:
    """All elements as one axis."""
    return view.reshape(view.size)


def lines(emit: CallEmitter, values: tuple[Value, ...]) -> list[View]:
    return [line(emit.read_dense(value)) for value in values]


def blocks(emit: CallEmitter, size: int, like: View) -> list[View]:
    """Two pieces of scratch of a block's length."""
    return [emit.scratch((min(BLOCK, size),), like.dtype) for _ in range(2)]


RULES = {"sgd": sgd_rule, "adam": adam_rule}
