"""The lowering that always works: the op's own kernel, its results copied into their buffers."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from netdsl.backends.numpy.emitter import CallEmitter
from netdsl.ir.graph import Node


def by_reference(emit: CallEmitter, node: Node) -> None:
    operands = tuple(None if value is None else emit.read(value) for value in node.inputs)
    made = tuple(emit.write(value) for value in node.outputs)
    emit(run_reference, node.op.kernel, node.attrs, operands, outs=made)


def run_reference(kernel: Callable, attrs: Any, operands: tuple, outs: tuple) -> None:
    made = kernel(attrs, *operands)
    for out, y in zip(outs, made if isinstance(made, tuple) else (made,)):
        np.copyto(out, y)


def unless_half(rule: Callable) -> Callable:
    """The rule, but the reference for float16, whose sums need a wider accumulator."""

    def chosen(emit: CallEmitter, node: Node) -> None:
        half = any(value is not None and value.dtype in ("f16", "bf16") for value in node.inputs)
        (by_reference if half else rule)(emit, node)

    return chosen
