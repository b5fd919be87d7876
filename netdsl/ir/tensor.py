"""Tensor types: a dtype and a shape. Also the dtypes themselves, by the language's names."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from ml_dtypes import bfloat16

from netdsl.ir.dim import Dim, free_symbols, size, substitute

NUMPY_DTYPES = {
    "f16": np.dtype(np.float16),
    "bf16": np.dtype(bfloat16),
    "f32": np.dtype(np.float32),
    "f64": np.dtype(np.float64),
    "i32": np.dtype(np.int32),
    "i64": np.dtype(np.int64),
    "u64": np.dtype(np.uint64),  # keys of random streams; not a word of the language
    "bool": np.dtype(np.bool_),
}
FLOATS = frozenset({"f16", "bf16", "f32", "f64"})
INTEGERS = frozenset({"i32", "i64", "u64"})


@dataclass(frozen=True, slots=True)
class TensorType:
    """What is known of a tensor before it exists."""

    dtype: str
    shape: tuple[Dim, ...]

    @property
    def rank(self) -> int:
        return len(self.shape)

    @property
    def is_float(self) -> bool:
        return self.dtype in FLOATS

    @property
    def size(self) -> Dim:
        """Number of elements."""
        return size(self.shape)

    @property
    def numpy_dtype(self) -> np.dtype:
        return NUMPY_DTYPES[self.dtype]

    @property
    def symbols(self) -> frozenset[str]:
        """Names of the free dimensions in the shape."""
        return frozenset().union(*map(free_symbols, self.shape))

    def with_shape(self, *shape: Dim) -> TensorType:
        return TensorType(self.dtype, shape)

    def with_dtype(self, dtype: str) -> TensorType:
        return TensorType(dtype, self.shape)

    def substitute(self, sizes: Mapping[str, Dim]) -> TensorType:
        """The same type with some free dimensions replaced."""
        return TensorType(self.dtype, tuple(substitute(dim, sizes) for dim in self.shape))

    def __str__(self) -> str:
        return f"{self.dtype}{show_shape(self.shape)}"


def is_floating(dtype: np.dtype) -> bool:
    """Whether an array's numbers are floats; bf16 is none of NumPy's own."""
    return dtype.kind == "f" or dtype == NUMPY_DTYPES["bf16"]


def show_shape(shape: tuple[Dim, ...]) -> str:
    """A shape as the language writes it: `[B, 64, 56, 56]`."""
    return "[" + ", ".join(map(str, shape)) + "]"


def show_factor(dim: Dim) -> str:
    """A size as it stands in a formula: in parentheses if it is one itself."""
    return f"({dim})" if " " in str(dim) else str(dim)
