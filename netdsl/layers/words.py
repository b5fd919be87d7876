"""The contract of a word: a layer or function of the language written in Python.

    @layer
    def linear(b: Site, x: Value, *, c: Count, bias: Flag = True) -> Value:
        '''What `netdsl explain linear` prints.'''

Parameters before the `*` are operands (tensors, applied with `()`), those behind it attributes
(compile time, `{}`), each annotated with a kind from `layers/arguments.py`. A function takes both
in one pair of parentheses. `*xs` takes any number of operands, `**lengths: Kind` attributes of any
name. An operand annotated `Place` becomes whole where a number is given for it.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from dataclasses import MISSING, dataclass, fields
from typing import Annotated, Any, Protocol, get_type_hints

from netdsl.ir.dim import Dim
from netdsl.ir.graph import Initializer, Value
from netdsl.ir.op import Op
from netdsl.layers.arguments import BY_TYPE, Hole, Kind

REQUIRED = object()
Place = Annotated[Value, "i64"]


class Site(Protocol):
    """Where a word is applied: what the builder lends to it."""

    path: str  # label path of the instance

    def emit(self, op: Op, *inputs: Value | None, **attributes) -> Any:
        """The output (or outputs) of a new node. Raises ShapeError."""

    def parameter(self, name: str, shape: tuple[int, ...], init: Initializer) -> Value:
        """The trainable tensor `path.name`: made at the first application, found at later ones."""

    def buffer(self, name: str, shape: tuple[int, ...], init: Initializer) -> Value:
        """The same for state that is not trained, as it is at this point of the pass."""

    def update(self, name: str, value: Value) -> None:
        """What the buffer `path.name` becomes when the pass is over."""

    def key(self) -> Value:
        """The key of the random streams."""

    def stream(self) -> str:
        """The name of a random stream that no other application draws from."""

    def found(self, hole: Hole, axis: int, dim: Dim) -> None:
        """Tell the size that stands at a `?`."""

    def beyond(
        self, value: Value, low: int, high: int, ignored: int | None = None
    ) -> tuple[int, int] | None:
        """The declared range of an integer tensor whose elements must lie in low..high, where it
        goes beyond; None where all is well. An input of which nothing is said is bound to
        low..high from here on. It may hold the number `ignored` besides."""


@dataclass(frozen=True, slots=True)
class WordOperand:
    """`dtype` is that of a number given for it; None: that of the tensors beside it."""

    name: str
    optional: bool = False
    variadic: bool = False
    dtype: str | None = None


@dataclass(frozen=True, slots=True)
class WordAttribute:
    name: str
    kind: Kind
    default: Any = REQUIRED


@dataclass(frozen=True, eq=False)
class Word:
    """`owns`: constructed with `{}`, as it may have parameters; otherwise a plain function. `more`
    is the kind of attributes of any name, of which operands are told apart by their place."""

    name: str
    owns: bool
    operands: tuple[WordOperand, ...]
    attributes: tuple[WordAttribute, ...]
    apply: Callable[..., Any]
    doc: str
    more: Kind | None = None

    @property
    def in_row(self) -> int:
        """How many attributes go by position: of a layer those that must be given, and the window
        `k` behind them; `conv{1, 16, 3}` is a slip of those who know another library."""
        names = [a.name for a in self.attributes if a.default is REQUIRED or a.name == "k"]
        return len(names) if self.owns else len(self.attributes)

    def __repr__(self) -> str:
        return f"<{'layer' if self.owns else 'function'} {self.name}>"


def layer(build: Callable[..., Any]) -> Word:
    """The layer that this Python function builds, under its name."""
    return _word(build, owns=True)


def function(build: Callable[..., Any]) -> Word:
    """The plain function of the language that this Python function builds, under its name."""
    return _word(build, owns=False)


def _word(build: Callable[..., Any], owns: bool) -> Word:
    hints = get_type_hints(build, include_extras=True)
    operands, attributes, more = [], [], None
    _, *parameters = inspect.signature(build).parameters.values()
    for p in parameters:
        if p.kind is p.KEYWORD_ONLY:
            default = REQUIRED if p.default is p.empty else p.default
            attributes.append(WordAttribute(p.name, hints[p.name].__metadata__[0], default))
        elif p.kind is p.VAR_KEYWORD:
            more = hints[p.name].__metadata__[0]
        else:
            variadic = p.kind is p.VAR_POSITIONAL
            dtype, = getattr(hints[p.name], "__metadata__", (None,))
            operands.append(WordOperand(p.name, p.default is None, variadic, dtype))
    name = build.__name__.rstrip("_")
    doc = inspect.getdoc(build) or ""
    return Word(name, owns, tuple(operands), tuple(attributes), build, doc, more)


def word_of(op: Op) -> Word:
    """The function of the language that an op with `word = True` is."""
    hints = get_type_hints(op.attrs)

    def apply(b: Site, *inputs: Value | None, **attributes) -> Any:
        return b.emit(op, *inputs, **attributes)

    operands = tuple(
        WordOperand(name.rstrip("?*"), name.endswith("?"), name.endswith("*"))
        for name in op.inputs
    )
    attributes = tuple(
        WordAttribute(field.name, BY_TYPE[hints[field.name]].__metadata__[0],
                      REQUIRED if field.default is MISSING else field.default)
        for field in fields(op.attrs)
    )
    return Word(op.name, False, operands, attributes, apply, op.doc)
