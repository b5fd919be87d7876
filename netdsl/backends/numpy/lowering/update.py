"""Optimiser updates, in place in the variables, a block of elements at a time. The formulas stand
in `netdsl/ops/update.py`."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import fields
from math import sqrt
from typing import TypeAlias

import numpy as np

from netdsl.backends.numpy.emitter import CallEmitter
from netdsl.backends.numpy.view import View
from netdsl.ir.graph import Node, Value
from netdsl.ops.update import memory_of, share

BLOCK = 1 << 16  # elements: a block's operands and scratch stay in the second-level cache
Array: TypeAlias = np.ndarray


def sgd(
    parameter: Array, gradient: Array, rate: Array, momentum: Array, dampening: Array,
    weight_decay: Array, step: Array, velocity: Array | None, nesterov: bool, *,
    following: tuple[Array, ...], scratch: tuple[Array, ...],
) -> None:
    """All arrays but the numbers are flat; `scratch` is of a block's length."""
    lr, mu, decay, part = float(rate), float(momentum), float(weight_decay), share(dampening, step)
    moved = following[1] if velocity is not None else None
    for p, g, old, v, made, work, out in blocks(
        parameter, gradient, velocity, moved, following[0], *scratch
    ):
        g = decayed(p, g, decay, work)
        if v is not None:
            np.multiply(old, mu, out=v)
            np.add(v, g if part == 1 else np.multiply(g, part, out=out), out=v)
            g = np.add(np.multiply(v, mu, out=out), g, out=out) if nesterov else v
        np.multiply(g, lr, out=out)
        np.subtract(p, out, out=made)


def adagrad(
    parameter: Array, gradient: Array, rate: Array, lr_decay: Array, eps: Array,
    weight_decay: Array, step: Array, total: Array, *,
    following: tuple[Array, ...], scratch: tuple[Array, ...],
) -> None:
    """All arrays but the numbers are flat; `scratch` is of a block's length."""
    pace = float(rate) / (1 + (int(step) - 1) * float(lr_decay))
    margin, decay = float(eps), float(weight_decay)
    for p, g, old, made, s, work, out in blocks(parameter, gradient, total, *following, *scratch):
        g = decayed(p, g, decay, work)
        np.multiply(g, g, out=out)
        np.add(old, out, out=s)
        np.sqrt(s, out=out)
        np.add(out, margin, out=out)
        np.divide(g, out, out=out)
        np.multiply(out, pace, out=out)
        np.subtract(p, out, out=made)


def rmsprop(
    parameter: Array, gradient: Array, rate: Array, alpha: Array, momentum: Array, eps: Array,
    weight_decay: Array, square: Array, mean: Array | None, velocity: Array | None, *,
    following: tuple[Array, ...], scratch: tuple[Array, ...],
) -> None:
    """All arrays but the numbers are flat; `scratch` is of a block's length."""
    lr, keep, mu, margin = float(rate), float(alpha), float(momentum), float(eps)
    decay = float(weight_decay)
    made, next_square, *others = following
    next_mean = others[0] if mean is not None else None
    next_velocity = others[-1] if velocity is not None else None
    for p, g, old_s, old_m, old_v, new, s, m, v, work, out in blocks(
        parameter, gradient, square, mean, velocity, made, next_square, next_mean, next_velocity,
        *scratch,
    ):
        g = decayed(p, g, decay, work)
        running_square(old_s, g, keep, s, out)
        root = s
        if m is not None:
            running_mean(old_m, g, keep, m, out)
            np.multiply(m, m, out=out)
            root = np.maximum(np.subtract(s, out, out=out), 0, out=out)
        np.sqrt(root, out=out)
        np.add(out, margin, out=out)
        np.divide(g, out, out=out)
        if v is not None:
            np.multiply(old_v, mu, out=v)
            np.add(v, out, out=v)
        np.multiply(out if v is None else v, lr, out=out)
        np.subtract(p, out, out=new)


def adam(
    parameter: Array, gradient: Array, rate: Array, beta1: Array, beta2: Array, eps: Array,
    weight_decay: Array, step: Array, mean: Array, square: Array, largest: Array | None,
    decoupled: bool, *, following: tuple[Array, ...], scratch: tuple[Array, ...],
) -> None:
    """All arrays but the numbers are flat; `scratch` is of a block's length."""
    lr, keep1, keep2, margin = float(rate), float(beta1), float(beta2), float(eps)
    pace, reach = lr / (1 - keep1 ** int(step)), sqrt(1 - keep2 ** int(step))
    decay = float(weight_decay)
    left = 1 - lr * decay
    made, next_mean, next_square, *others = following
    next_largest = others[0] if largest is not None else None
    for p, g, old_m, old_s, old_l, new, m, s, l, work, out in blocks(
        parameter, gradient, mean, square, largest, made, next_mean, next_square, next_largest,
        *scratch,
    ):
        if not decoupled:
            g = decayed(p, g, decay, work)
        running_mean(old_m, g, keep1, m, out)
        running_square(old_s, g, keep2, s, out)
        np.sqrt(s if l is None else np.maximum(old_l, s, out=l), out=out)
        np.divide(out, reach, out=out)
        np.add(out, margin, out=out)
        np.divide(m, out, out=out)
        np.multiply(out, pace, out=out)
        if decoupled:
            p = np.multiply(p, left, out=work)
        np.subtract(p, out, out=new)


# ------------------------------------------------------------------ parts of the formulas


def decayed(p: Array, g: Array, decay: float, out: Array) -> Array:
    """g + λp, in `out` where there is a λ."""
    if not decay:
        return g
    np.multiply(p, decay, out=out)
    return np.add(out, g, out=out)


def running_mean(old: Array, g: Array, keep: float, made: Array, out: Array) -> None:
    np.subtract(g, old, out=out)
    np.multiply(out, 1 - keep, out=out)
    np.add(old, out, out=made)


def running_square(old: Array, g: Array, keep: float, made: Array, out: Array) -> None:
    np.multiply(g, g, out=out)
    np.multiply(out, 1 - keep, out=out)
    np.multiply(old, keep, out=made)
    np.add(made, out, out=made)


def blocks(*arrays: Array | None) -> Iterator[list[Array | None]]:
    """The same stretch of each array, block by block; of shorter ones, which are scratch, room for
    that stretch."""
    size = len(arrays[0])
    for start in range(0, size, BLOCK):
        here, room = slice(start, start + BLOCK), slice(min(BLOCK, size - start))
        yield [a if a is None else a[here if len(a) == size else room] for a in arrays]


# ------------------------------------------------------------------ the rule


def rule_of(update: Callable[..., None]) -> Callable[[CallEmitter, Node], None]:
    """The rule that carries an update out, in equal shares of the elements on all lanes."""

    def rule(emit: CallEmitter, node: Node) -> None:
        names = [name.rstrip("?") for name in node.op.inputs]
        flat = [name in ("parameter", "gradient", *memory_of(node.op)) for name in names]
        views = [None if v is None else line(emit, v) if is_flat else emit.read(v)
                 for v, is_flat in zip(node.inputs, flat)]
        moving = [node.inputs[0], *(v for name, v in zip(names, node.inputs)
                                    if name in memory_of(node.op) and v is not None)]
        following = [emit.write(y, over=(old,)) for y, old in zip(node.outputs, moving)]
        following = [view.reshape(view.size) for view in following]
        flags = [getattr(node.attrs, field.name) for field in fields(node.attrs)]
        size = views[0].size
        for start, stop in emit.parts(size, 2 * len(views) * size):
            room = (min(BLOCK, stop - start),)
            emit(
                update,
                *(v.rows(start, stop) if is_flat and v is not None else v
                  for v, is_flat in zip(views, flat)),
                *flags,
                following=tuple(view.rows(start, stop) for view in following),
                scratch=tuple(emit.scratch(room, views[0].dtype) for _ in range(2)),
            )

    return rule


def line(emit: CallEmitter, value: Value) -> View:
    """All elements as one axis."""
    view = emit.read_dense(value)
    return view.reshape(view.size)


RULES = {update.__name__: rule_of(update) for update in (sgd, adagrad, rmsprop, adam)}
