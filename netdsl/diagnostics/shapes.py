"""Problems of shapes and types: codes N3xx."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from netdsl.diagnostics import Diagnostic, Mark, Problem, Severity
from netdsl.source import Span


@dataclass(frozen=True)
class SidesDiffer(Problem):
    """The two sides of an operator have shapes that do not fit.

    Shapes fit when they are equal, when one side is a scalar, or when ranks are equal and one
    side has size 1 where they differ. Nothing is reshaped silently.

        main = x -> conv{64, k = 3}           # 28 becomes 26: no padding
        return main + x                       # [B, 64, 26, 26] + [B, 64, 28, 28]
    """

    code = "N301"
    span: Span
    operator: str
    left: Mark
    right: Mark
    reason: str
    way: str | None = None

    def describe(self) -> Diagnostic:
        return self.say(f"the two sides of `{self.operator}` do not fit", self.left, self.right,
                        notes=[self.reason], suggestion=self.way)


@dataclass(frozen=True)
class OperandRefused(Problem):
    """A layer or function cannot take this tensor.

    The rank, the dtype or a size is not what the operation needs; the message says which.

        x -> conv{8, k = 9}                   # a window of 9 does not fit into 8 elements
    """

    code = "N302"
    span: Span
    of: str
    reason: str
    operands: tuple[Mark, ...] = ()
    way: str | None = None

    def describe(self) -> Diagnostic:
        return self.say(f"`{self.of}`: {self.reason}", self.span, *self.operands,
                        suggestion=self.way)


@dataclass(frozen=True)
class OperandMismatch(Problem):
    """A tensor does not match the shape in the layer's signature.

        layer Head{d}(x: [B, L, d]) { … }
        Head{64}(image)                       # rank 4 for rank 3

    A name that is known (an attribute, a size matched before) constrains; any other name takes
    the size it meets.
    """

    code = "N303"
    span: Span
    declared: Span
    name: str
    found: str
    reason: str

    def describe(self) -> Diagnostic:
        return self.say(f"`{self.name}` does not have the declared shape",
                        Mark(self.span, f"this is {self.found}"),
                        Mark(self.declared, "declared here"), notes=[self.reason])


@dataclass(frozen=True)
class ResultMismatch(Problem):
    """A layer returns another shape than its signature promises.

    The shape behind `->` is checked, not trusted.
    """

    code = "N304"
    span: Span
    declared: Span
    layer: str
    found: str
    reason: str

    def describe(self) -> Diagnostic:
        return self.say(f"`{self.layer}` does not return the declared shape",
                        Mark(self.span, f"this is {self.found}"),
                        Mark(self.declared, "declared here"), notes=[self.reason])


@dataclass(frozen=True)
class LossNotScalar(Problem):
    """A loss or metric is one number.

        loss ce = cross_entropy(logits, label, reduce = none)       # one for each row
        loss ce = mean(cross_entropy(logits, label, reduce = none))
    """

    code = "N305"
    span: Span
    role: str
    name: str
    found: str
    is_float: bool

    def describe(self) -> Diagnostic:
        way = "`mean(…)` of it" if self.is_float else "`mean(f32(…))` of it"
        return self.say(f"the {self.role} `{self.name}` is {self.found}, not one number",
                        self.span, suggestion=way)


@dataclass(frozen=True)
class NotASize(Problem):
    """A size in a shape is not a whole number of at least 0.

    Arithmetic is exact: `100 * (1 - 0.9)` is 10, `7 / 2` is not a size; `7 // 2`, `ceil(7 / 2)`
    and `floor(7 / 2)` are.
    """

    code = "N306"
    span: Span
    found: str
    way: str | None = None

    def describe(self) -> Diagnostic:
        return self.say(f"a size is a whole number of at least 0, not {self.found}", self.span,
                        suggestion=self.way)


@dataclass(frozen=True)
class RandomInference(Problem):
    """An output depends on random draws.

    Inference is a function of its inputs. Make what is drawn an input, and let the training
    program feed it.
    """

    code = "N307"
    span: Span | None
    output: str

    def describe(self) -> Diagnostic:
        return self.say(f"the output `{self.output}` depends on random draws", self.span,
                        suggestion="make what is drawn an input")


@dataclass(frozen=True)
class UnknownDType(Problem):
    """A tensor type names a dtype that does not exist.

    There are f32 (the default of layer signatures), f16, f64, i32, i64 and bool.
    """

    code = "N308"
    span: Span
    name: str
    way: str | None

    def describe(self) -> Diagnostic:
        return self.say(f"`{self.name}` is not a dtype", self.span, suggestion=self.way)


@dataclass(frozen=True)
class HoleFound(Problem):
    """The size that stands at a `?`.

    A hole in a signature fits any size, and the compiler tells which it found.

        layer Head{}(x: [B, ?, ?]) { … }              # axis 1 is 49, axis 2 is 768
    """

    code = "N309"
    severity: ClassVar[Severity] = "note"
    span: Span
    axis: int
    size: str

    def describe(self) -> Diagnostic:
        return self.say(f"axis {self.axis} is {self.size}", self.span)
