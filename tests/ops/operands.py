"""What an example of an op is made of: operands that can be drawn, attributes, a note."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np

from netdsl.ir.dim import Dim, substitute, symbol
from netdsl.ir.op import Attrs
from netdsl.ir.tensor import NUMPY_DTYPES, TensorType
from netdsl.ops import OPS
from netdsl.rewrite.specialize import substituted

B = symbol("B")
Shape = tuple[Dim, ...]


@dataclass(frozen=True)
class Array:
    """An operand. Floats are spread evenly over `low..high` in random order, so that no two are
    equal and none is 0: away from every kink; with a `step`, rounded to its multiples. `derive`
    computes it from the operands before."""

    shape: Shape
    dtype: str = "float"  # whichever float precision a check runs in
    low: float = -2.0
    high: float = 2.0
    step: float = 0.0
    derive: Callable[..., np.ndarray] | None = None

    def type(self, float_dtype: str, batch: int | None = None) -> TensorType:
        dtype = float_dtype if self.dtype == "float" else self.dtype
        shape = self.shape if batch is None else tuple(
            substitute(dim, {"B": batch}) for dim in self.shape
        )
        return TensorType(dtype, shape)

    def draw(self, rng: np.random.Generator, type: TensorType) -> np.ndarray:
        dtype, count = NUMPY_DTYPES[type.dtype], int(np.prod(type.shape, dtype=object))
        if type.dtype == "bool":
            return rng.integers(0, 2, type.shape).astype(bool)
        if not type.is_float:
            return rng.integers(int(self.low), int(self.high), type.shape).astype(dtype)
        places = rng.permutation(count) + rng.uniform(0.3, 0.7)
        values = self.low + (self.high - self.low) * places / max(count, 1)
        if self.step:
            values = np.round(values / self.step) * self.step
        return values.reshape(type.shape).astype(dtype)


@dataclass(frozen=True)
class Example:
    """One call of an op. `through`: the outputs that a gradient may come back through."""

    op: str
    inputs: tuple[Array | None, ...]
    attrs: dict = field(default_factory=dict)
    through: tuple[int, ...] = (0,)
    note: str = ""

    def __str__(self) -> str:
        shapes = " ".join("-" if a is None else "x".join(map(str, a.shape)) or "()"
                          for a in self.inputs)
        return f"{self.op} {self.note or shapes}"

    def attributes(self, float_dtype: str = "f32", batch: int | None = None) -> Attrs:
        attrs = OPS[self.op].attrs(**self.attrs)
        sizes = {} if batch is None else {"B": batch}
        return substituted(attrs, sizes, {"f32": float_dtype})

    def arrays(self, float_dtype: str, batch: int, seed: int = 0) -> list[np.ndarray | None]:
        rng = np.random.default_rng(seed)
        made: list[np.ndarray | None] = []
        for array in self.inputs:
            if array is None:
                made.append(None)
            elif array.derive is not None:
                made.append(array.derive(self.attributes(float_dtype, batch), *made))
            else:
                made.append(array.draw(rng, array.type(float_dtype, batch)))
        return made


def example(op: str, *inputs: Array | Shape | None, through=(0,), note="", **attrs) -> Example:
    """A row; a plain shape stands for an array of floats."""
    arrays = tuple(Array(x) if isinstance(x, tuple) else x for x in inputs)
    return Example(op, arrays, attrs, through, note)


def positive(*shape: Dim) -> Array:
    return Array(shape, low=0.1, high=3.0)


def integers(*shape: Dim, low: int = -5, high: int = 6, dtype: str = "i64") -> Array:
    return Array(shape, dtype, low, high)


def booleans(*shape: Dim) -> Array:
    return Array(shape, "bool")
