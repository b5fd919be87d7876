"""N51x: what is fed to a network at run time does not fit its inputs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from netdsl.diagnostics import Diagnostic, Mark, Problem
from netdsl.diagnostics.suggest import did_you_mean
from netdsl.source import Span


@dataclass(frozen=True)
class InputUnknown(Problem):
    """Something is fed that the network has no input for.

    Every array goes to the input of its name. A network that declares `input image` and
    `input label` takes exactly these; the inference graph takes only what its outputs need, so
    feeding `label` there is a mistake too.

    Feed the declared names.
    """

    code: ClassVar[str] = "N510"
    name: str
    known: tuple[str, ...]

    def describe(self) -> Diagnostic:
        known = ", ".join(f"`{name}`" for name in self.known) or "nothing"
        return self.say(
            f"there is no input `{self.name}`; this graph takes {known}",
            suggestion=did_you_mean(self.name, self.known),
        )


@dataclass(frozen=True)
class InputMissing(Problem):
    """An input of the network is not fed.

    Inputs have no defaults: `input image: f32[B, 1, 28, 28]` needs an array called `image` in
    every run.

    Feed it, or ask for a slice of the network that does not need it.
    """

    code: ClassVar[str] = "N511"
    name: str
    type: str

    def describe(self) -> Diagnostic:
        return self.say(f"the input `{self.name}: {self.type}` is not fed")


@dataclass(frozen=True)
class WrongDtype(Problem):
    """An input is fed with numbers of another kind.

    Floats of any precision go to a float input, and integers to a wider integer input. Nothing
    else converts by itself: bytes of an image (uint8, 0 to 255) fed to an f32 input would be
    numbers of quite another size than the 0 to 1 the network was trained on.

    Convert the array before feeding it, or the data flow with a transform.
    """

    code: ClassVar[str] = "N512"
    name: str
    dtype: str
    type: str
    file: str | None = None

    def describe(self) -> Diagnostic:
        source = "" if self.file is None else f" from {self.file}"
        return self.say(f"the input `{self.name}: {self.type}` is fed with {self.dtype}{source}")


@dataclass(frozen=True)
class WrongRank(Problem):
    """An input is fed with an array of another rank.

    `input image: f32[B, 1, 28, 28]` has rank 4. A single image of shape [1, 28, 28] needs a
    batch axis of size 1 in front; a grey image [B, 28, 28] needs a channel axis.

    Reshape the array: `image[None]`, `image[:, None]`.
    """

    code: ClassVar[str] = "N513"
    name: str
    shape: tuple[int, ...]
    type: str

    def describe(self) -> Diagnostic:
        return self.say(
            f"the input `{self.name}: {self.type}` is fed with an array of shape "
            f"{list(self.shape)}",
        )


@dataclass(frozen=True)
class WrongSize(Problem):
    """An axis of what is fed has another size than declared.

    A number in the declared shape is that number. A name such as `B` is one size for the whole
    run: when `image` has 32 rows, a `label: i64[B]` has 32 as well.

    Feed arrays that agree with the declaration and with each other.
    """

    code: ClassVar[str] = "N514"
    name: str
    axis: int
    size: int
    expected: int
    dim: str
    others: tuple[str, ...] = ()  # inputs that fixed the free dimensions of this axis

    def describe(self) -> Diagnostic:
        if not self.size and self.dim != str(self.expected):
            return self.say(f"axis {self.axis} of the input `{self.name}` is empty: {self.dim} is "
                            "at least 1")
        named = "" if self.dim == str(self.expected) else f" ({self.dim})"
        notes = [f"{self.dim} is fixed by `{other}`" for other in self.others]
        return self.say(
            f"axis {self.axis} of the input `{self.name}` should have size "
            f"{self.expected}{named}, not {self.size}",
            notes=notes,
        )


@dataclass(frozen=True)
class SizeUndetermined(Problem):
    """A free dimension cannot be read off what is fed.

    The size of a free dimension comes from an axis that is nothing but this dimension, or a
    linear expression in it such as `2 * T`.

    Declare an input with an axis of that size.
    """

    code: ClassVar[str] = "N515"
    symbol: str

    def describe(self) -> Diagnostic:
        return self.say(f"nothing that is fed determines the dimension `{self.symbol}`")


@dataclass(frozen=True)
class OutOfRange(Problem):
    """An integer that is fed lies outside its declared range.

    `input label: i64[B] in 0..10` takes 0 to 9. A label of 10 would read beyond the ten logits;
    often a data set counts its classes from 1.

    Correct the data, or widen the range.
    """

    code: ClassVar[str] = "N516"
    name: str
    where: tuple[int, ...]
    value: int
    low: int
    high: int
    count: int

    def describe(self) -> Diagnostic:
        row = f"row {self.where[0]}" if len(self.where) == 1 else f"element {list(self.where)}"
        more = [f"{self.count} elements lie outside"] if self.count > 1 else []
        return self.say(
            f"`{self.name}` lies in {self.low}..{self.high}, but {row} is {self.value}",
            notes=more,
        )


@dataclass(frozen=True)
class SizesDoNotFit(Problem):
    """What is fed has sizes that the network cannot work on.

    Relations between sizes that cannot be proved before the sizes are known are listed by
    `netdsl check` and checked first (N519). Here something else does not work out: a division by
    a size that is 0, or a graph that was not made from a file.

    Feed other sizes, or pad what is fed.
    """

    code: ClassVar[str] = "N517"
    sizes: tuple[tuple[str, int], ...]
    reason: str

    def describe(self) -> Diagnostic:
        given = ", ".join(f"{name} = {size}" for name, size in self.sizes)
        return self.say(f"with {given} the network does not work: {self.reason}")


@dataclass(frozen=True)
class ElementsRefused(Problem):
    """An operation met elements that it cannot work on.

    Labels are numbers of classes: with logits for ten classes they lie in 0..10, without 10.
    Where a label is an input, `input label: i64[B] in 0..10` lets the data be checked row by row
    before anything runs; here it was computed.

    A batch norm in training needs several values for each channel, as one has no variance: a
    batch of one row of [B, C] is refused. It is the last batch of an epoch where the number of
    rows leaves one over; another `batch` helps.

    Correct the data, or what is computed from them.
    """

    code: ClassVar[str] = "N518"
    reason: str

    def describe(self) -> Diagnostic:
        return self.say(self.reason)


@dataclass(frozen=True)
class AssumptionBroken(Problem):
    """What is fed has sizes that break what the network assumes or asserts of them.

    Relations between free sizes that cannot be proved are assumed: a window of 7 needs `H >= 7`, a
    sum of [B, S] and [B, T] needs `S == T`, and an `assert` about free sizes says one itself.
    `netdsl check` lists them below each model; they are checked when data arrive.

    Feed other sizes, or pad what is fed.
    """

    code: ClassVar[str] = "N519"
    span: Span | None
    relation: str
    found: str
    message: str = ""  # of the assertion
    layer: str = ""

    def describe(self) -> Diagnostic:
        said = self.message or f"the network needs `{self.relation}`, but {self.found}"
        notes = [f"`{self.relation}` is not so: {self.found}"] if self.message else []
        notes += [f"in {self.layer}"] if self.layer else []
        mark = None if self.span is None else Mark(self.span, f"`{self.relation}` is needed here")
        return self.say(said, mark, notes=notes)
