"""The contract of an operation: everything any pass may ask of it, answered in one row.

A family file in `netdsl/ops` writes each facet as a plain function named `<op>_<facet>` and closes
with the `Op` rows. Passes call facets and never ask which operation they hold. A facet that does
not exist is `Absent("the reason")`; the pass that meets it tells the reason.

For an op with attributes `a`, inputs `x, w, …` and outputs `y, …`:

    shape(a, x: TensorType, …)        -> TensorType, or a tuple of them; raises ShapeError
    kernel(a, x: ndarray, …)          -> ndarray, or a tuple of them: what the op means; raises
                                         ElementError for elements that it has no meaning for
    gradient(emit, node, gy, …)       -> one Value or None for each input; emits IR nodes, so that
                                         the backward graph is a graph like any other. An output
                                         that nothing depends on has the gradient None.
    onnx(emit, node)                  -> None; calls emit("Conv", node.inputs, node.outputs, …)
    cost(a, inputs, outputs)          -> Cost, exact in the free dimensions
    inference(emit, node)             -> one Value for each output: what the node becomes where
                                         nothing is trained (dropout: its input); None: itself
    rows(a, inputs, axes)             -> for each output the axis that its rows lie along, where
                                         those of the inputs lie along `axes`, or `Rows.MEET`;
                                         None (no facet): they always meet. See below.
    origin(a, inputs, output, axis)   -> Origin: where an axis of an output has its size from, told
                                         to who is surprised by it; None: no more is known

Rows. n rows lie along an axis in n equal blocks, one behind the other: examples along the batch,
and still after [B, L, d] has become [B * L, d]. An input or output without such an axis (None) is
the same for all rows. A facet that names an axis claims this: an equal share of the rows of every
input, with the same share of an attribute `shape`, gives that share of the rows of every output.
The sizes of the axes are whole multiples of n; who asks makes sure of it. Where no input has
rows, the answer is an axis along which all elements are alike, if there is one. `Rows.BY_PASS`
is the answer for what an op of training makes of the rows at hand by definition: batch norm's
statistics. The inputs and axes that are absent or ask for nothing are None.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum
from typing import Any

from netdsl.ir.assumptions import agree
from netdsl.ir.dim import Dim


class ShapeError(Exception):
    """Operands that do not fit; `operands` are the indices of the inputs to blame, `axes` the
    places of the sizes at fault: (input, axis). Who builds a graph adds the `node` that was to be:
    op, attributes, inputs."""

    def __init__(
        self, message: str, *operands: int, suggestion: str | None = None,
        axes: tuple[tuple[int, int], ...] = (),
    ):
        self.message, self.operands, self.suggestion = message, operands, suggestion
        self.axes, self.node = axes, None
        super().__init__(message)


class RankError(ShapeError):
    """Operands with too few or too many axes."""


class ElementError(Exception):
    """Elements that an operation cannot take, found when it runs: a label beyond the classes."""


class NotFinite(Exception):
    """A value that was to be finite is not, found when it runs: `name` is what it is called."""

    def __init__(self, name: str, value: float):
        self.name, self.value = name, value
        super().__init__(f"{name} is {value}")


class NotDefined(Exception):
    """A facet was needed that the operation does not have."""

    def __init__(self, op: str, facet: str, reason: str):
        self.op, self.facet, self.reason = op, facet, reason
        super().__init__(f"{op} has no {facet}: {reason}")


@dataclass(frozen=True, slots=True)
class Absent:
    """Stands where a facet would: there is none, and this is why."""

    reason: str


@dataclass(frozen=True, slots=True)
class Attrs:
    """Base of attribute records: frozen dataclasses of numbers, sizes, strings and tuples."""


@dataclass(frozen=True, slots=True)
class Cost:
    """Work of one node. `macs`: multiply-accumulates of convolutions and matrix products, without
    bias; `derivation` shows the product they come from."""

    macs: Dim = 0
    derivation: str = ""


@dataclass(frozen=True, slots=True)
class Origin:
    """Where an axis has its size from: it is that of `axis` of the input number `operand`, or what
    a `formula` in numbers makes of it, `(28 + 2 * 0 - 3) // 1 + 1`, with `settings` in the user's
    words, `k = 3, pad = 0, stride = 1`. Without an operand (None) the formula says all. `name` is
    what such an axis is called: channels, rows."""

    operand: int | None
    axis: int = 0
    formula: str = ""
    settings: str = ""
    name: str = ""


class Rows(Enum):
    """Answers of the facet `rows` that are no axis."""

    MEET = "a row of an output depends on other rows"
    BY_PASS = "made of the rows that are worked on together, however many they are"


def no_macs(attrs: Attrs, inputs: tuple, outputs: tuple) -> Cost:
    """Neither a convolution nor a matrix product."""
    return Cost()


@dataclass(frozen=True, eq=False)
class Op:
    """One operation. `inputs` names the operands in order: `"bias?"` may be absent (None), and
    `"xs*"`, which stands last, takes any number. `word` says that the language has a function
    of this name whose arguments are the inputs, then the attributes. `carries` lists state that
    passes through: (input, output) by number, where no other output depends on that input.
    `stops` says that no gradient flows through, by what the op means. `stepwise` says of a
    reduction over `axes` that it may be made over some of them first, those kept with size 1, and
    then over all."""

    name: str
    inputs: tuple[str, ...]
    shape: Callable[..., Any]
    kernel: Callable[..., Any]
    gradient: Callable[..., Any] | Absent
    onnx: Callable[..., Any] | Absent
    outputs: tuple[str, ...] = ("y",)
    attrs: type[Attrs] = Attrs
    cost: Callable[..., Cost] = no_macs
    inference: Callable[..., Any] | None = None
    rows: Callable[..., Any] | None = None
    origin: Callable[..., Origin | None] | None = None
    carries: tuple[tuple[int, int], ...] = ()
    stops: bool = False
    stepwise: bool = False
    word: bool = False
    doc: str = ""

    def facet(self, name: str) -> Callable[..., Any]:
        """The facet as a function. Raises NotDefined with the reason when it is absent."""
        facet = getattr(self, name)
        if isinstance(facet, Absent):
            raise NotDefined(self.name, name, facet.reason)
        return facet

    def __repr__(self) -> str:
        return f"<op {self.name}>"


def broadcast(*shapes: tuple[Dim, ...]) -> tuple[Dim, ...]:
    """The common shape of elementwise operands: scalars fit anywhere; otherwise ranks are equal
    and on every axis sizes agree or one is 1. Raises ShapeError naming the two that disagree."""
    result: tuple[Dim, ...] = ()
    of: tuple[int, ...] = ()  # for each axis of the result, the operand it came from
    for i, shape in enumerate(shapes):
        if not shape:
            continue
        if not result:
            result, of = shape, (i,) * len(shape)
            continue
        if len(shape) != len(result):
            raise RankError(f"ranks {len(result)} and {len(shape)} differ", of[0], i)
        merged, sources = [], []
        for axis, (a, b) in enumerate(zip(result, shape)):
            if a != b and a != 1 and b != 1 and not agree(a, b):
                raise ShapeError(f"axis {axis}: {a} and {b} differ", of[axis], i,
                                 axes=((of[axis], axis), (i, axis)))
            merged.append(b if a == 1 else a)
            sources.append(i if a == 1 else of[axis])
        result, of = tuple(merged), tuple(sources)
    return result


def broadcast_origin(attrs: Attrs, inputs: tuple, output: Any, axis: int) -> Origin | None:
    """Of elementwise operations: the first operand that has the output's size there."""
    size, rank = output.shape[axis], len(output.shape)
    for i, x in enumerate(inputs):
        if x is not None and len(x.shape) == rank and x.shape[axis] == size:
            return Origin(i, axis)
    return None


def broadcast_rows(attrs: Attrs, inputs: tuple, axes: tuple) -> int | Rows:
    """Of elementwise operations: every operand has its rows along the same axis, or has one
    element there for all of them."""
    axis = common_axis(axes)
    if axis is None:
        return Rows.MEET
    alike = all(x.shape[axis] == 1 for x, own in zip(inputs, axes)
                if own is None and x is not None and x.shape)
    return axis if alike else Rows.MEET


def common_axis(axes: tuple) -> int | None:
    """The one axis of all operands that have rows; None where they differ or none has rows."""
    found = {axis for axis in axes if axis is not None}
    return found.pop() if len(found) == 1 else None


def leading_rows(*with_rows: int) -> Callable[..., Any]:
    """The facet of an op whose operands with these numbers hold an example in each element of
    their first axis, and so do all that it makes of them; the others serve all examples."""

    def rows(attrs: Attrs, inputs: tuple, axes: tuple) -> int | Rows:
        fits = all(axis == (0 if i in with_rows else None) for i, axis in enumerate(axes))
        return 0 if fits else Rows.MEET

    return rows
