"""Activations: erf and gelu in float32 through tanh, a block at a time; the others run their
formulas."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from netdsl.backends.numpy.emitter import CallEmitter
from netdsl.backends.numpy.lowering.reference import by_reference
from netdsl.ir.graph import Node

BLOCK = 1 << 13  # elements worked on at once: they stay in the first-level cache

# erf(x) = tanh(x · p(x²)): p by least squares, reweighted towards the smallest largest error of
# tanh(x · p(x²)) on [-4, 4], which is 6e-8, half a unit in the last place of float32
ERF = tuple(map(np.float32, (
    1.12837971, 0.102765481, -1.8438375e-4, -6.25719525e-4, 8.9712569e-5, -5.98568768e-6,
    1.58960055e-7,
)))
ERF_IS_ONE = np.float32(3.95)
ROOT_HALF = np.float32(0.5**0.5)
AS_SIMPLE = 8  # simple functions that erf takes as long as


def erf_block(x: np.ndarray, square: np.ndarray, y: np.ndarray) -> None:
    """y = erf(x); x is clipped in place, y is another array."""
    np.clip(x, -ERF_IS_ONE, ERF_IS_ONE, out=x)
    np.multiply(x, x, out=square)
    np.multiply(square, ERF[-1], out=y)
    for coefficient in ERF[-2:0:-1]:
        np.add(y, coefficient, out=y)
        np.multiply(y, square, out=y)
    np.add(y, ERF[0], out=y)
    np.multiply(y, x, out=y)
    np.tanh(y, out=y)


def erf(x: np.ndarray, y: np.ndarray, work: np.ndarray) -> None:
    """Both flat; y may be x."""
    for start in range(0, len(x), BLOCK):
        part = x[start : start + BLOCK]
        clipped, square, made = work[:, : len(part)]
        np.copyto(clipped, part)
        erf_block(clipped, square, made)
        np.copyto(y[start : start + BLOCK], made)


def gelu(x: np.ndarray, y: np.ndarray, work: np.ndarray) -> None:
    """y = x · (1 + erf(x / √2)) / 2. Both flat; y may be x."""
    for start in range(0, len(x), BLOCK):
        part = x[start : start + BLOCK]
        scaled, square, made = work[:, : len(part)]
        np.multiply(part, ROOT_HALF, out=scaled)
        erf_block(scaled, square, made)
        np.add(made, np.float32(1), out=made)
        np.multiply(made, np.float32(0.5), out=made)
        np.multiply(part, made, out=y[start : start + BLOCK])


def blockwise(function: Callable) -> Callable:
    """The op is this function of flat float32 arrays; other floats take the exact reference."""

    def rule(emit: CallEmitter, node: Node) -> None:
        if node.inputs[0].dtype != "f32":
            by_reference(emit, node)
            return
        x = emit.read_dense(node.inputs[0])
        y = emit.write(node.outputs[0], over=node.inputs)
        x, y = x.reshape(x.size), y.reshape(y.size)
        for start, stop in emit.parts(x.size, AS_SIMPLE * x.size):
            work = emit.scratch((3, min(BLOCK, x.size)), x.dtype)
            emit(function, x.rows(start, stop), y=y.rows(start, stop), work=work)

    return rule


RULES = {"erf": blockwise(erf), "gelu": blockwise(gelu)}
