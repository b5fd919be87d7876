"""How a sample of PyTorch's is put into our language: its tensors by name, its numbers and shapes
as the language writes them, and what it cannot say, with the reason."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from math import isfinite
from typing import Any

import torch

DTYPES = {
    torch.float64: "f32", torch.int64: "i64", torch.int32: "i32", torch.bool: "bool",
}  # floats are written as f32; the graph is made one of f64 before it runs


class Unsaid(Exception):
    """What a sample asks for and the language has no words for; the message is the reason."""


@dataclass(frozen=True, eq=False)
class Operand:
    """A tensor of a sample. In an f-string it stands as its name."""

    name: str
    tensor: torch.Tensor

    def __str__(self) -> str:
        return self.name

    @property
    def shape(self) -> tuple[int, ...]:
        return tuple(self.tensor.shape)

    @property
    def rank(self) -> int:
        return self.tensor.ndim

    @property
    def type(self) -> str:
        """As an input declares it. Raises Unsaid."""
        if self.tensor.dtype not in DTYPES:
            raise Unsaid(f"a tensor of {self.tensor.dtype}".replace("torch.", ""))
        return f"{DTYPES[self.tensor.dtype]}{shape(self.shape)}"


@dataclass(frozen=True)
class Phrase:
    """What a sample is in our language: one expression for each result. `owned` are the tensors of
    the sample that are parameters and buffers there, by label path; `phase` is "train" or "infer"
    where operations have another form in each."""

    results: tuple[str, ...]
    owned: Mapping[str, Operand] = field(default_factory=dict)
    phase: str = ""


def layer(
    construction: str, x: Any, phase: str = "", **tensors: Operand | None
) -> Phrase:
    """A layer applied to x, its parameters those of the sample."""
    owned = {f"f.{name}": t for name, t in tensors.items() if t is not None}
    return Phrase((f"{x} -> f: {construction}",), owned, phase)


def unsaid(condition: object, reason: str) -> None:
    """Raises Unsaid with this reason where the condition holds."""
    if condition:
        raise Unsaid(reason)


# ------------------------------------------------------------------ as the language writes it


def number(value: Any) -> str:
    """A number, in parentheses where it is negative. An operand is its name. Raises Unsaid."""
    if isinstance(value, Operand):
        return str(value)
    if isinstance(value, bool):
        return "1" if value else "0"
    unsaid(isinstance(value, complex), "a complex number")
    unsaid(not isfinite(value), "infinity and NaN as literals")
    return f"({value!r})" if value < 0 else repr(value)


def flag(value: bool) -> str:
    return "true" if value else "false"


def shape(sizes: Iterable[int]) -> str:
    return "[" + ", ".join(map(str, sizes)) + "]"


def listed(value: int | Iterable[int]) -> str:
    """One number, or a list of them."""
    return str(value) if isinstance(value, int) else shape(value)


def same_float(dtype: torch.dtype | None) -> None:
    """For the argument `dtype`. Raises Unsaid for what is not the dtype of the sample."""
    unsaid(dtype not in (None, torch.float64), "a result in another dtype")


def axis_of(x: Operand, dim: int) -> int:
    """An axis counted from the front. PyTorch gives single numbers one axis."""
    unsaid(not x.rank, "an axis of a single number")
    return dim % x.rank


def over(dim: int | Iterable[int] | None, keepdim: bool = False) -> str:
    """The arguments of a reduction. PyTorch reads an empty list of axes as all of them."""
    axes = tuple(dim) if isinstance(dim, Iterable) else dim
    axis = "" if axes is None or axes == () else f", axis = {listed(axes)}"
    return axis + (", keep = true" if keepdim else "")


# ------------------------------------------------------------------ broadcasting


def widened(x: Any, rank: int) -> str:
    """x with axes of size 1 in front, which the language wants written: [3] as [1, 3]."""
    if not isinstance(x, Operand):
        return number(x)
    if x.rank in (0, rank):
        return str(x)
    return f"reshape({x}, {shape((1,) * (rank - x.rank) + x.shape)})"


def fitted(*xs: Any) -> list[str]:
    """Operands and numbers at one rank, or 0."""
    ranks = [x.rank for x in xs if isinstance(x, Operand)]
    unsaid(not ranks, "numbers alone")
    rank = max(ranks)
    return [widened(x, rank) for x in xs]


def stretched(x: Operand, sizes: Iterable[int]) -> str:
    """x repeated to a shape that it broadcasts to."""
    sizes = tuple(sizes)
    if x.shape == sizes:
        return str(x)
    return f"expand(reshape({x}, {shape((1,) * (len(sizes) - x.rank) + x.shape)}), {shape(sizes)})"


def reshaped(text: Any, sizes: Iterable[int]) -> str:
    return f"reshape({text}, {shape(sizes)})"
