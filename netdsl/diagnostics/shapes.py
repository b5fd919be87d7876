"""Problems of shapes and types: codes N3xx."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from netdsl.diagnostics import Diagnostic, Mark, Problem, Severity
from netdsl.diagnostics.origins import AxisOrigin, Cause, told
from netdsl.source import Span


@dataclass(frozen=True)
class SidesDiffer(Problem):
    """The two sides of an operator have shapes that do not fit.

    Shapes fit when they are equal, when one side is a scalar, or when ranks are equal and one
    side has size 1 where they differ. Nothing is reshaped silently.

        main = x -> conv{64, k = 3}           # 28 becomes 26: no padding
        return main + x                       # [B, 64, 26, 26] + [B, 64, 28, 28]

    Of each axis on which they differ the message tells how both sizes came to be, as far back as
    somebody wrote them down.
    """

    code = "N301"
    span: Span
    operator: str
    left: Mark
    right: Mark
    trouble: str = "have different shapes"
    reasons: tuple[str | Cause, ...] = ()
    origins: tuple[AxisOrigin, ...] = ()
    way: str | None = None

    def describe(self) -> Diagnostic:
        source = self.span.source
        reasons = [r.told(source) if isinstance(r, Cause) else r for r in self.reasons]
        return self.say(f"the two sides of `{self.operator}` {self.trouble}", self.left, self.right,
                        notes=[*reasons, *told(self.origins, source)], suggestion=self.way)


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
    ranks: tuple[Cause, ...] = ()
    origins: tuple[AxisOrigin, ...] = ()
    way: str | None = None

    def describe(self) -> Diagnostic:
        source = self.span.source
        ranks = [cause.told(source) for cause in self.ranks]
        return self.say(f"`{self.of}`: {self.reason}", self.span, *self.operands,
                        notes=[*ranks, *told(self.origins, source)], suggestion=self.way)


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
    declared: Mark
    name: str
    found: str
    reason: str
    origins: tuple[AxisOrigin, ...] = ()
    way: str | None = None

    def describe(self) -> Diagnostic:
        notes = told(self.origins, self.span.source) or [self.reason]
        return self.say(f"`{self.name}` does not have the declared shape",
                        Mark(self.span, f"this is {self.found}"), self.declared,
                        notes=notes, suggestion=self.way)


@dataclass(frozen=True)
class ResultMismatch(Problem):
    """A layer returns another shape than its signature promises.

    The shape behind `->` is checked, not trusted.
    """

    code = "N304"
    span: Span
    declared: Mark
    layer: str
    found: str
    reason: str
    origins: tuple[AxisOrigin, ...] = ()
    way: str | None = None

    def describe(self) -> Diagnostic:
        notes = told(self.origins, self.span.source) or [self.reason]
        return self.say(f"`{self.layer}` does not return the declared shape",
                        Mark(self.span, f"this is {self.found}"), self.declared,
                        notes=notes, suggestion=self.way)


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
    way: str

    def describe(self) -> Diagnostic:
        return self.say(f"the {self.role} `{self.name}` is {self.found}, not one number",
                        self.span, suggestion=self.way)


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
    where: Mark | None = None  # what is called so

    def describe(self) -> Diagnostic:
        return self.say(f"a size is a whole number of at least 0, not {self.found}", self.span,
                        self.where, suggestion=self.way)


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

    There are f32 (the default of layer signatures), f16, bf16, f64, i32, i64 and bool.
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

    A hole in a signature fits any size, and one in the shape of `reshape` is the size that is
    left; the compiler tells which it found.

        layer Head{}(x: [B, ?, ?]) { … }              # axis 1 is 49, axis 2 is 768
        y = reshape(x, [B, ?])                        # axis 1 is 37632
    """

    code = "N309"
    severity: ClassVar[Severity] = "note"
    span: Span
    axis: int
    size: str

    def describe(self) -> Diagnostic:
        return self.say(f"axis {self.axis} is {self.size}", self.span)


@dataclass(frozen=True)
class NoRelation(Problem):
    """An assertion about free sizes leaves several possibilities open.

    What depends on a free dimension is settled when data arrive: the relations that an `assert`
    joins by `and` are listed by `netdsl check`, and checked then. Which of two alternatives holds
    cannot be listed so.

        assert H % 4 == 0 and W <= 512 else "…"      # two relations
        assert H == W or H == 2 * W else "…"         # which of them?

    Assert the one that your data fulfil, or make the sizes known: attributes of the model, numbers
    in the input's declaration.
    """

    code = "N310"
    span: Span

    def describe(self) -> Diagnostic:
        return self.say("neither side of this is known before data arrive", self.span,
                        notes=["relations between free sizes can be joined by `and` alone"],
                        suggestion="assert one of them")


@dataclass(frozen=True)
class BatchRefused(Problem):
    """The batch of the training program breaks what the model assumes or asserts of it.

    Relations between free sizes are checked when data arrive; where a relation is about the batch
    alone, the program says its size already.

        assert 1000 % B == 0 else "…"
        train M { batch 300 … }                       # 250, or 500

    Choose another `batch`.
    """

    code = "N311"
    span: Span | None
    message: str
    found: str
    relation: str
    needed: Span | None
    nearest: int | None

    def describe(self) -> Diagnostic:
        marks = [None if self.span is None else Mark(self.span, self.found),
                 None if self.needed is None else Mark(self.needed, f"`{self.relation}` is needed")]
        said = self.message or f"this batch breaks `{self.relation}`"
        way = None if self.nearest is None else f"`batch {self.nearest}`"
        return self.say(said, *marks, suggestion=way)
