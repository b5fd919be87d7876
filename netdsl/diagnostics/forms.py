"""N128 to N136: statements and expressions that lack a part, or have one of another language."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from netdsl.diagnostics import Diagnostic, Mark, Problem
from netdsl.source import Span


@dataclass(frozen=True)
class BelongsElsewhere(Problem):
    """An entry of a train program stands in a model or layer.

    A model says what is computed, a train program how it is trained, so that one model can be
    trained in several ways:

        model Net { … }
        train Net { data digits()  batch 32  epochs 10  minimize ce with adam(lr = 1e-3) }
    """

    code: ClassVar[str] = "N128"
    span: Span
    way: str

    def describe(self) -> Diagnostic:
        return self.say(f"`{self.span.text}` belongs in a train program", self.span,
                        suggestion=f"`{self.way}`, outside of the model's braces")


@dataclass(frozen=True)
class MinimizeForm(Problem):
    """A `minimize` is not written as it should be.

    It names a loss of the model and, behind `with`, the optimiser:

        minimize ce with adam(lr = 1e-3)
        minimize ce over fc, stage.3 with sgd(lr = 0.1, momentum = 0.9)
    """

    code: ClassVar[str] = "N129"
    span: Span
    way: str

    def describe(self) -> Diagnostic:
        return self.say("`minimize` takes a loss, and an optimiser behind `with`", self.span,
                        suggestion=f"`{self.way}`")


@dataclass(frozen=True)
class MissingBraces(Problem):
    """The body of an `if`, `else` or `for` is not in braces.

    Braces stand around one statement too: newlines and indentation mean nothing.

        if (p > 0) { x = dropout(x, p) } else { x = relu(x) }
    """

    code: ClassVar[str] = "N130"
    span: Span
    keyword: str
    way: str

    def describe(self) -> Diagnostic:
        return self.say(f"what belongs to `{self.keyword}` stands in braces", self.span,
                        suggestion=f"`{self.way}`")


@dataclass(frozen=True)
class NamelessResult(Problem):
    """An input, output, loss or metric has no name.

    Outputs are the names in the exported file, losses and metrics those of the training program:

        output logits = x -> fc: linear{10}
        loss ce = cross_entropy(logits, label)
        output features                        # a name that is bound already
    """

    code: ClassVar[str] = "N131"
    span: Span
    role: str
    way: str

    def describe(self) -> Diagnostic:
        article = "an" if self.role in ("input", "output") else "a"
        return self.say(f"{article} {self.role} has a name", self.span,
                        suggestion=f"`{self.way}`")


@dataclass(frozen=True)
class ForeignSlice(Problem):
    """A slice is written as in Python.

    `_` keeps a whole axis, `a..b` a part of it without b, and a number drops the axis:

        x[_, 0]                # x[:, 0]
        x[_, 1..5]             # x[:, 1:5]
        x[_, 0..n - 1]         # x[:, :-1], with the size n of the axis
    """

    code: ClassVar[str] = "N132"
    span: Span
    way: str | None = None

    def describe(self) -> Diagnostic:
        way = f"`{self.way}`" if self.way else "`_` keeps an axis, `a..b` a part: `x[_, 1..5]`"
        return self.say("a slice is written with `..`, a whole axis with `_`", self.span,
                        suggestion=way)


@dataclass(frozen=True)
class LoneExpression(Problem):
    """A value is made and bound to nothing.

    Nothing happens to a tensor or list by itself: every operation gives a new value, and a
    statement binds it to a name, the same one if you like.

        x -> relu                      # wrong: what it gives is lost
        x = x -> relu                  # right
        xs.append(x)                   # wrong
        xs = xs + [x]                  # right
    """

    code: ClassVar[str] = "N133"
    span: Span
    way: str

    def describe(self) -> Diagnostic:
        return self.say("what this gives is bound to no name", self.span,
                        suggestion=f"`{self.way}`")


@dataclass(frozen=True)
class BarePipeline(Problem):
    """A pipeline stands bare in another expression, between `then` and `else` or before `+`.

    `->` binds loosest of all, so a pipeline inside of another expression stands in parentheses:

        y = if deep then (x -> conv{8} -> relu) else x
        y = x + (x -> conv{8})
    """

    code: ClassVar[str] = "N134"
    span: Span
    way: str

    def describe(self) -> Diagnostic:
        return self.say("a pipeline within an expression stands in parentheses", self.span,
                        suggestion=f"`{self.way}`")


@dataclass(frozen=True)
class MissingShape(Problem):
    """A type lacks its shape.

    A type is a dtype and, in brackets, the size of each axis; a single number has none of them:

        input image: f32[B, 3, 224, 224]
        input temperature: f32[]
    """

    code: ClassVar[str] = "N135"
    span: Span
    dtype: str

    def describe(self) -> Diagnostic:
        return self.say("a type has a shape", self.span,
                        suggestion=f"`{self.dtype}[B, 1, 28, 28]`, or `{self.dtype}[]` for a "
                                   "single number")


@dataclass(frozen=True)
class MissingComma(Problem):
    """A comma is missing between two arguments or items.

        conv{16 k = 3}                 # conv{16, k = 3}
        depths = [3 4]                 # depths = [3, 4]
    """

    code: ClassVar[str] = "N136"
    span: Span
    before: Span
    opened: Span | None = None  # the bracket around, where it stands on another line

    def describe(self) -> Diagnostic:
        opened = None if self.opened is None else Mark(self.opened, "in these brackets")
        way = f"`{self.before.text}, {self.span.text}`"
        if len(way) > 60 or self.before.line != self.span.line:
            way = "put `,` before it"
        return self.say("a comma is missing before this", self.span, opened, suggestion=way)
