"""Sizes known only at run time, as ONNX nodes that compute them from the shapes of the inputs.

Every size is a vector of one i64 element, made once: `B` is Shape(image)[0:1], and
`B * 4 + 1` is a Mul and an Add over it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from itertools import groupby

import numpy as np

from netdsl.ir.dim import (
    Dim,
    Quotient,
    Symbol,
    bounds,
    free_symbols,
    substitute,
    symbol,
)
from netdsl.ir.graph import Value
from netdsl.ir.op import NotDefined
from netdsl.ir.tensor import TensorType

# add(op_type, operands, type, wanted name, **attributes) -> name of the result
Add = Callable[..., str]


class Sizes:
    """Size vectors of one model. `add` places a node, `constant` an initializer."""

    def __init__(
        self, inputs: Mapping[str, Value], add: Add, constant: Callable[[np.ndarray], str]
    ):
        self._inputs, self._add, self._constant = inputs, add, constant
        self._made: dict[object, str] = {}

    def vector(self, dims: tuple[Dim, ...]) -> str:
        """The i64 vector of these sizes."""
        parts = list(self._parts(dims))
        if len(parts) == 1:
            return parts[0]
        if dims not in self._made:
            self._made[dims] = self._place(
                "Concat", parts, f"[{', '.join(map(str, dims))}]", len(dims), axis=0
            )
        return self._made[dims]

    def _parts(self, dims: tuple[Dim, ...]) -> Iterator[str]:
        """Neighbouring integers are one constant."""
        if not dims:
            yield self._constant(np.array([], np.int64))
        for are_known, run in groupby(dims, lambda dim: isinstance(dim, int)):
            if are_known:
                yield self._constant(np.array(list(run), np.int64))
            else:
                yield from map(self._size, run)

    def _size(self, dim: Dim) -> str:
        if isinstance(dim, int):
            return self._constant(np.array([dim], np.int64))
        if dim not in self._made:
            terms = [self._term(monomial, factor) for monomial, factor in dim.terms]
            self._made[dim] = self._joined("Add", terms, str(dim))
        return self._made[dim]

    def _term(self, monomial: tuple, factor: int) -> str:
        if not monomial:
            return self._size(factor)
        operands = [self._atom(atom) for atom, power in monomial for _ in range(power)]
        if factor != 1:
            operands.insert(0, self._size(factor))
        return self._joined("Mul", operands, "product")

    def _joined(self, op_type: str, operands: list[str], wanted: str) -> str:
        """operands[0] ∘ operands[1] ∘ …"""
        result = operands[0]
        for operand in operands[1:]:
            result = self._place(op_type, [result, operand], wanted)
        return result

    def _atom(self, atom: Symbol | Quotient) -> str:
        if atom not in self._made:
            make = self._symbol if isinstance(atom, Symbol) else self._quotient
            self._made[atom] = make(atom)
        return self._made[atom]

    def _symbol(self, atom: Symbol) -> str:
        """From the input axis that says it most directly: B itself, else a·B + c."""
        b = symbol(atom.name)
        axes = (
            (dim, axis, name)
            for name, value in self._inputs.items() for axis, dim in enumerate(value.shape)
            if free_symbols(dim) == {atom.name}
        )
        for dim, axis, name in sorted(axes, key=lambda entry: entry[0] != b):
            slope = substitute(dim, {atom.name: 2}) - substitute(dim, {atom.name: 1})
            offset = dim - slope * b
            if not isinstance(offset, int):
                continue
            found = self._place("Shape", [name], str(dim), start=axis, end=axis + 1)
            if offset:
                found = self._place("Sub", [found, self._size(offset)], f"{slope} * {atom}")
            if slope != 1:
                found = self._place("Div", [found, self._size(slope)], atom.name)
            return found
        raise NotDefined("size", "onnx", f"no input of the slice determines {atom}")

    def _quotient(self, atom: Quotient) -> str:
        numerator, divisor = self._size(atom.numerator), self._size(atom.divisor)
        if bounds(atom.numerator)[0] < 0 or bounds(atom.divisor)[0] < 0:
            # ONNX divides towards zero; Mod has the divisor's sign: ⌊a / b⌋ = (a - a mod b) / b
            rest = self._place("Mod", [numerator, divisor], "rest")
            numerator = self._place("Sub", [numerator, rest], "whole")
        return self._place("Div", [numerator, divisor], str(atom))

    def _place(
        self, op_type: str, operands: list[str], wanted: str, count: int = 1, **attributes
    ) -> str:
        type = TensorType("i64", (count,))
        return self._add(op_type, operands, type, f"size/{wanted}", **attributes)
