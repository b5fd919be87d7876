"""Problems of data and of feeding it to a model: codes N5xx."""

from __future__ import annotations

from dataclasses import dataclass

from netdsl.diagnostics import Diagnostic, Problem
from netdsl.diagnostics.names import listed
from netdsl.diagnostics.suggest import did_you_mean
from netdsl.source import Span

# ------------------------------------------------------------------ files


@dataclass(frozen=True)
class CannotRead(Problem):
    """A data file that is missing, is no ordinary file, or may not be read.

    Paths in a train program and after `--data` are relative to the folder you are in, not to the
    `.net` file.
    """

    code = "N501"
    file: str
    reason: str
    span: Span | None = None

    def describe(self) -> Diagnostic:
        return self.say(f"cannot read {self.file}: {self.reason}", self.span)


@dataclass(frozen=True)
class Damaged(Problem):
    """A data file whose contents are not what its format promises.

    The message says what was found, where, and what was expected. A download that broke off, or a
    file of another format under this name, are the usual causes: fetch it again.
    """

    code = "N502"
    file: str
    found: str
    expected: str
    span: Span | None = None

    def describe(self) -> Diagnostic:
        return self.say(f"{self.file}: {self.found}", self.span,
                        notes=[f"expected: {self.expected}"])


@dataclass(frozen=True)
class TooLarge(Problem):
    """A data file that is, or claims to be, larger than this version keeps in memory.

    Sources of this version read whole files. The size counts after decompression, so that a small
    file cannot fill the memory.
    """

    code = "N503"
    file: str
    limit: int
    span: Span | None = None

    def describe(self) -> Diagnostic:
        return self.say(f"{self.file} holds more than {self.limit:,} bytes once unpacked",
                        self.span)


# ------------------------------------------------------------------ rows


@dataclass(frozen=True)
class RowsDiffer(Problem):
    """Fields of one data set that do not have the same number of rows.

    Row i of every field belongs to the same example, so images and labels are equally many.
    """

    code = "N504"
    counts: tuple[tuple[str, int], ...]  # file or field, rows
    span: Span | None = None

    def describe(self) -> Diagnostic:
        parts = ", ".join(f"{name} has {count:,}" for name, count in self.counts)
        return self.say(f"the fields differ in their number of rows: {parts}", self.span)


@dataclass(frozen=True)
class OutOfRange(Problem):
    """A label outside the range that the model or the data set declares.

        input label: i64[B] in 0..10           # the numbers 0 to 9

    Often the labels count from 1, or the model was made for fewer classes: `-D classes = …`.
    """

    code = "N505"
    file: str
    row: int
    value: int
    low: int
    high: int
    span: Span | None = None

    def describe(self) -> Diagnostic:
        return self.say(f"{self.file}: the label in row {self.row:,} is {self.value}, outside "
                        f"{self.low}..{self.high}", self.span)


@dataclass(frozen=True)
class EmptySet(Problem):
    """A data set without rows, from the beginning or after `take`, `fraction` and `classes`."""

    code = "N506"
    name: str
    split: str
    span: Span | None = None

    def describe(self) -> Diagnostic:
        return self.say(f"the {self.split} part of {self.name} has no rows", self.span)


@dataclass(frozen=True)
class BatchTooLarge(Problem):
    """A batch that is larger than the data set.

    Training uses whole batches and drops what remains at the end of an epoch, so here an epoch
    would have no batch at all.
    """

    code = "N507"
    batch: int
    rows: int
    span: Span | None = None

    def describe(self) -> Diagnostic:
        return self.say(f"a batch of {self.batch:,} does not fit a training set of "
                        f"{self.rows:,} rows", self.span,
                        suggestion=f"`batch {max(self.rows // 8, 1)}`, or `--set batch=…`")


@dataclass(frozen=True)
class UnknownClass(Problem):
    """A name or number in `classes = […]` that the data set does not have, or has once already.

        digits(classes = [3, 8])
        fashion_mnist("DIR", classes = ["Coat", "Shirt"])
    """

    code = "N508"
    given: str
    known: tuple[str, ...]
    span: Span | None = None

    def describe(self) -> Diagnostic:
        return self.say(f"`classes` names {self.given}, which is not a class or stands there twice",
                        self.span, notes=[f"the classes are {listed(self.known[:20])}"],
                        suggestion=did_you_mean(self.given.strip('"'), self.known))


@dataclass(frozen=True)
class BadSpecification(Problem):
    """A data source on the command line that cannot be read.

        --data digits
        --data fashion_mnist:DIR               # short for fashion_mnist("DIR")
    """

    code = "N509"
    given: str
    known: tuple[str, ...]

    def describe(self) -> Diagnostic:
        name = self.given.split(":", 1)[0]
        return self.say(f"`{self.given}` is no data source",
                        notes=["a source is NAME or NAME:PATH", f"there are {listed(self.known)}"],
                        suggestion=did_you_mean(name, self.known))
