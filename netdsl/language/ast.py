"""The language on one page: what a `.net` file is, as data.

`parse` gives a `File`; `format_file` writes one back; `parse(format_file(f)) == f`. Spans and
comments do not take part in equality. Chains of operators are flat, so that a sum of 100,000
terms is one node and no walk over it needs a deep stack.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from fractions import Fraction
from typing import TypeAlias

from netdsl.source import Span


@dataclass(frozen=True, slots=True, kw_only=True)
class Syntax:
    """Anything written: knows where."""

    span: Span = field(compare=False, repr=False)


# ---------------------------------------------------------------- expressions


@dataclass(frozen=True, slots=True)
class Number(Syntax):
    """`3`, `0.1`, `1e-4`. `text` is as written; `value` is exact: 0.1 is a tenth."""

    text: str

    @property
    def value(self) -> int | Fraction:
        return int(self.text) if self.text.isdigit() else Fraction(self.text)


@dataclass(frozen=True, slots=True)
class String(Syntax):
    value: str


@dataclass(frozen=True, slots=True)
class Name(Syntax):
    """A name; `_` too, which means "whatever it is"."""

    id: str


@dataclass(frozen=True, slots=True)
class Hole(Syntax):
    """`?` in a shape: the compiler prints the size it found."""


@dataclass(frozen=True, slots=True)
class Rest(Syntax):
    """`...` in a shape: any number of axes."""


@dataclass(frozen=True, slots=True)
class ListOf(Syntax):
    items: tuple[Expr, ...]


@dataclass(frozen=True, slots=True)
class TupleOf(Syntax):
    """`(7, 1)`. One in parentheses alone is that expression itself."""

    items: tuple[Expr, ...]


@dataclass(frozen=True, slots=True)
class Prefix(Syntax):
    """`-x`, `not c`."""

    operator: str
    operand: Expr


@dataclass(frozen=True, slots=True)
class Chain(Syntax):
    """Left-associative operators of one precedence: `a + b - c`, `a * b // c`, `p and q`."""

    first: Expr
    rest: tuple[tuple[str, Expr], ...]


@dataclass(frozen=True, slots=True)
class Compare(Syntax):
    operator: str
    left: Expr
    right: Expr


@dataclass(frozen=True, slots=True)
class Power(Syntax):
    base: Expr
    exponent: Expr


@dataclass(frozen=True, slots=True)
class Range(Syntax):
    """`a..b`, without b."""

    start: Expr
    stop: Expr


@dataclass(frozen=True, slots=True)
class Choose(Syntax):
    """`if c then a else b`."""

    condition: Expr
    then: Expr
    otherwise: Expr


@dataclass(frozen=True, slots=True)
class Argument(Syntax):
    name: str | None
    value: Expr


@dataclass(frozen=True, slots=True)
class Call(Syntax):
    """`f(x, axis = 1)`: run time."""

    callee: Expr
    arguments: tuple[Argument, ...]


@dataclass(frozen=True, slots=True)
class Construct(Syntax):
    """`conv{64, k = 3}`: compile time."""

    callee: Expr
    arguments: tuple[Argument, ...]


@dataclass(frozen=True, slots=True)
class Index(Syntax):
    """`xs[i]`, `x[_, 0..n]`."""

    target: Expr
    items: tuple[Expr, ...]


@dataclass(frozen=True, slots=True)
class Member(Syntax):
    """`wte.weight`, `stage.0`, `blk.ConvBN`."""

    target: Expr
    name: str


@dataclass(frozen=True, slots=True)
class Labelled(Syntax):
    """`fc: linear{10}` outside a pipeline, or as the head of one."""

    label: str
    value: Expr


@dataclass(frozen=True, slots=True)
class Stage(Syntax):
    """One `-> label: expr when condition` of a pipeline."""

    label: str | None
    value: Expr
    condition: Expr | None


@dataclass(frozen=True, slots=True)
class Pipeline(Syntax):
    head: Expr
    stages: tuple[Stage, ...]


Expr: TypeAlias = (
    Number | String | Name | Hole | Rest | ListOf | TupleOf | Prefix | Chain | Compare | Power
    | Range | Choose | Call | Construct | Index | Member | Labelled | Pipeline
)


@dataclass(frozen=True, slots=True)
class TypeOf(Syntax):
    """`f32[B, 3, H, W]`; in a layer's signature the dtype may be left out."""

    dtype: str | None
    dims: tuple[Expr, ...]


# ---------------------------------------------------------------- statements


@dataclass(frozen=True, slots=True)
class Bind(Syntax):
    """`x = e`, `q, k, v = f(x)`, `a, b = e, f`."""

    names: tuple[Name, ...]
    values: tuple[Expr, ...]


@dataclass(frozen=True, slots=True)
class Return(Syntax):
    values: tuple[Expr, ...]


@dataclass(frozen=True, slots=True)
class For(Syntax):
    """`label: for (i, x in xs) { … }`."""

    label: str | None
    names: tuple[Name, ...]
    iterable: Expr
    body: tuple[Statement, ...]


@dataclass(frozen=True, slots=True)
class If(Syntax):
    """`if (c) { … } else { … }`; `else if` is an If alone in `otherwise`."""

    label: str | None
    condition: Expr
    body: tuple[Statement, ...]
    otherwise: tuple[Statement, ...] | None


@dataclass(frozen=True, slots=True)
class Input(Syntax):
    """`input label: i64[B] in 0..10`; `input small[8]: …` declares a list of inputs."""

    name: Name
    count: Expr | None
    type: TypeOf
    range: Expr | None


@dataclass(frozen=True, slots=True)
class Result(Syntax):
    """`output x`, `output x = e`, `loss x = e`, `metric x = e`; `role` is the keyword."""

    role: str
    name: Name
    value: Expr | None


@dataclass(frozen=True, slots=True)
class Declared(Syntax):
    """`state q: f32[d, K] = e`, `parameter p: f32[1, d] = normal(std = 0.02)`; `role` as above."""

    role: str
    name: Name
    type: TypeOf
    value: Expr


@dataclass(frozen=True, slots=True)
class Assert(Syntax):
    condition: Expr
    message: String


@dataclass(frozen=True, slots=True)
class Next(Syntax):
    """`next q = e` inside `update { … }`."""

    name: Name
    value: Expr


@dataclass(frozen=True, slots=True)
class Update(Syntax):
    body: tuple[Next, ...]


Statement: TypeAlias = (
    Bind | Return | For | If | Input | Result | Declared | Assert | Update
)


# ---------------------------------------------------------------- training and sampling


@dataclass(frozen=True, slots=True)
class Setting(Syntax):
    """`batch 128`, `epochs 10`, `data digits()`, `stop early(val.top1)`."""

    name: Name
    value: Expr


@dataclass(frozen=True, slots=True)
class Feed(Syntax):
    """`feed v1, v2 = image -> random_flip()`."""

    names: tuple[Name, ...]
    value: Expr


@dataclass(frozen=True, slots=True)
class Pattern(Syntax):
    """Label path of parameters: `stage.*.bn`, `rest`."""

    segments: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Minimize(Syntax):
    """`minimize ce over fc, stage.3 with adam(lr = 1e-3)`; `over` empty: everything."""

    loss: Name
    over: tuple[Pattern, ...]
    optimizer: Expr


@dataclass(frozen=True, slots=True)
class Step(Syntax):
    """`step D { minimize … } every 2`."""

    name: Name
    body: tuple[Minimize, ...]
    every: Expr | None


@dataclass(frozen=True, slots=True)
class Freeze(Syntax):
    patterns: tuple[Pattern, ...]


# ---------------------------------------------------------------- declarations


@dataclass(frozen=True, slots=True)
class Use(Syntax):
    """`use "./blocks.net" as blk`; `use std` has no path."""

    path: String | None
    name: Name


@dataclass(frozen=True, slots=True)
class Let(Syntax):
    """`let eps = 1e-6`, at the top of a file or in a train program."""

    name: Name
    value: Expr


@dataclass(frozen=True, slots=True)
class Attribute(Syntax):
    """`k = 3` in `layer L{c, k = 3}`; no default: it must be given."""

    name: Name
    default: Expr | None


@dataclass(frozen=True, slots=True)
class Operand(Syntax):
    """`x: [B, c, H, W]` in a layer's parentheses; `mask: bool[B, S] = none` is optional."""

    name: Name
    type: TypeOf | None
    default: Expr | None


@dataclass(frozen=True, slots=True)
class LayerDeclaration(Syntax):
    name: Name
    attributes: tuple[Attribute, ...]
    operands: tuple[Operand, ...]
    results: tuple[TypeOf, ...]  # empty: not stated
    body: tuple[Statement, ...]


@dataclass(frozen=True, slots=True)
class ModelDeclaration(Syntax):
    name: Name
    attributes: tuple[Attribute, ...]
    body: tuple[Statement, ...]


@dataclass(frozen=True, slots=True)
class Preset(Syntax):
    """`model ResNet152 = ResNet{depths = [3, 8, 36, 3]}`."""

    name: Name
    value: Expr


@dataclass(frozen=True, slots=True)
class TrainDeclaration(Syntax):
    """`train full: Birds { … }`; `name` is None in `train Birds { … }`."""

    name: Name | None
    model: Name
    body: tuple[Setting | Feed | Minimize | Step | Freeze | Let, ...]


@dataclass(frozen=True, slots=True)
class SampleDeclaration(Syntax):
    """`sample LM { autoregressive(logits, tok, length = 500) }`."""

    model: Name
    value: Expr


Declaration: TypeAlias = (
    Use | Let | LayerDeclaration | ModelDeclaration | Preset | TrainDeclaration
    | SampleDeclaration
)


@dataclass(frozen=True, slots=True)
class Comment(Syntax):
    """`# …` up to the end of the line; `alone` when nothing stands before it on its line."""

    text: str
    alone: bool


@dataclass(frozen=True, slots=True)
class File(Syntax):
    edition: int | None
    declarations: tuple[Declaration, ...]
    comments: tuple[Comment, ...] = field(default=(), compare=False)
