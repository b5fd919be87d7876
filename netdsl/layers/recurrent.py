"""Recurrent layers: their parameters are named, shaped and drawn as in PyTorch."""

from __future__ import annotations

from math import sqrt

from netdsl.ir.assumptions import agree
from netdsl.ir.graph import Initializer, Value
from netdsl.ir.op import ShapeError
from netdsl.layers.arguments import Count, Flag
from netdsl.layers.neural import fixed
from netdsl.layers.words import Site, layer
from netdsl.ops import constant, elementwise, layout
from netdsl.ops import recurrent as recurrent_ops


@layer
def lstm(
    b: Site, x: Value, h0: Value = None, c0: Value = None, *, c: Count, layers: Count = 1,
    final: Flag = False, bias: Flag = True,
) -> Value | tuple[Value, Value, Value]:
    """Long short-term memory over a sequence (Hochreiter & Schmidhuber 1997): x [B, L, in] gives
    [B, L, c], the state of the last of `layers` at every step.

        y = lstm{512}(x)
        y, h, c = lstm{512, layers = 2, final = true}(x, h0, c0)

    `h0` and `c0` [layers, B, c] are the states to begin from, zeros if absent; with `final`, the
    states after the last step are given too, of the same shape. Parameters for each layer k:
    weight_ih_lk [4 * c, in], weight_hh_lk [4 * c, c] and, with `bias`, bias_ih_lk and bias_hh_lk
    [4 * c]; the gates lie in the order input, forget, cell, output.
    """
    if x.type.rank != 3:
        raise ShapeError(f"needs [B, L, features], not {x.type}", 0)
    if (h0 is None) != (c0 is None):
        raise ShapeError("h0 and c0 are given both or neither", 1, 2)
    batch, states = x.shape[0], []
    for i, state in ((1, h0), (2, c0)):
        if state is not None and (state.type.rank != 3 or not agree(state.shape[0], layers)):
            raise ShapeError(f"needs [{layers}, {batch}, {c}], not {state.type}", i)
    for k in range(layers):
        begin = [state_of(b, state, k, batch, c, x.dtype) for state in (h0, c0)]
        x, *end = b.emit(recurrent_ops.lstm, x, *begin, *parameters(b, x, k, c, bias))
        states.append(end)
    if not final:
        return x
    stacked = (
        b.emit(layout.concat, *(b.emit(layout.reshape, s, shape=(1, batch, c)) for s in kind),
               axis=0)
        for kind in zip(*states)
    )
    return (x, *stacked)


def state_of(b: Site, state: Value | None, k: int, batch, c: int, dtype: str) -> Value:
    """What layer k begins from."""
    if state is None:
        return b.emit(constant.full, value=0.0, shape=(batch, c), dtype=dtype)
    part = b.emit(layout.slice_, state, axis=0, start=k, stop=k + 1)
    return b.emit(layout.reshape, part, shape=part.shape[1:])


def parameters(b: Site, x: Value, k: int, c: int, bias: bool) -> list[Value]:
    """weight_ih, weight_hh and the sum of the two biases of layer k."""
    bound = 1 / sqrt(c)
    even = Initializer("uniform", (-bound, bound))
    weights = [
        b.parameter(f"weight_{name}_l{k}", (4 * c, width), even)
        for name, width in (("ih", fixed(x, 2, "the last axis")), ("hh", c))
    ]
    if not bias:
        return [*weights, b.emit(constant.full, value=0.0, shape=(4 * c,), dtype=x.dtype)]
    shifts = (b.parameter(f"bias_{name}_l{k}", (4 * c,), even) for name in ("ih", "hh"))
    return [*weights, b.emit(elementwise.add, *shifts)]


WORDS = (lstm,)
