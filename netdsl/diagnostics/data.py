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


# ------------------------------------------------------------------ images and archives


@dataclass(frozen=True)
class UnreadableImage(Problem):
    """An image that is damaged, cut off, too large or of no known format.

    JPEG, PNG, WebP, GIF, BMP, TIFF and PPM are read. A download that broke off, or another sort of
    file under the name of an image, are the usual causes: fetch it again, or take it away. An image
    may claim billions of pixels in a few bytes, so very large ones are refused: scale them down.
    """

    code = "N520"
    file: str
    reason: str
    span: Span | None = None

    def describe(self) -> Diagnostic:
        return self.say(f"{self.file} cannot be read as an image: {self.reason}", self.span)


@dataclass(frozen=True)
class UnsafeMember(Problem):
    """An archive with a link, a device or a path that leads out of it.

    Archives of data sets hold plain files in plain folders. One with `../` in a path or with links
    may be made to reach other files; none of it is read. Unpack it yourself, look at it, and give
    the folder instead.
    """

    code = "N521"
    file: str
    member: str
    reason: str
    span: Span | None = None

    def describe(self) -> Diagnostic:
        return self.say(f"{self.file} holds {self.member[:200]!a}: {self.reason}", self.span)


@dataclass(frozen=True)
class NotByClass(Problem):
    """A folder or archive that does not hold the images that its source asks for.

    Images by class lie in a folder for each class, the folder's name being the class:

        photos/cat/1.jpg  photos/cat/2.jpg  photos/dog/1.jpg

    and with a part for training and one for validation, `photos/train/cat/1.jpg` and
    `photos/val/cat/9.jpg`. Every class needs at least one image.
    """

    code = "N522"
    file: str
    found: str
    expected: str
    span: Span | None = None

    def describe(self) -> Diagnostic:
        return self.say(f"{self.file}: {self.found}", self.span,
                        notes=[f"expected: {self.expected}"])


@dataclass(frozen=True)
class NotPlainPickle(Problem):
    """A data file in Python's pickle format that holds more than numbers, texts and containers.

    A pickle is a program: whoever made it decides what runs when it is opened. netdsl carries out
    none of them and reads only plain arrays, lists and dicts, as in the official files of CIFAR-10.
    Fetch the file from its own site, or take the binary version.
    """

    code = "N524"
    file: str
    reason: str
    span: Span | None = None

    def describe(self) -> Diagnostic:
        return self.say(f"{self.file} is no pickle of plain data: {self.reason}", self.span)


# ------------------------------------------------------------------ tables


@dataclass(frozen=True)
class BadTable(Problem):
    """A line of a table that does not read as the lines above it.

    Every line has as many cells as the first, which names the columns. The first row decides what a
    column holds: numbers, or texts. Every cell has a value; NaN and infinity are none.

    A column that is not to be used needs not be sound: `columns` and `features` name those that
    are read.

        data csv("iris.csv", label = "species", features = ["length", "width"])
    """

    code = "N525"
    file: str
    line: int
    found: str
    expected: str
    column: str | None = None
    span: Span | None = None

    def describe(self) -> Diagnostic:
        place = "" if self.column is None else f", column {self.column[:80]!a}"
        return self.say(f"{self.file}, line {self.line:,}{place}: {self.found}", self.span,
                        notes=[f"expected: {self.expected}"])


@dataclass(frozen=True)
class UnknownColumn(Problem):
    """A column that a table does not have.

    The first line of a table names its columns. Where it is one long name with `;` in it, that is
    what stands between the cells: `delimiter = ";"`.
    """

    code = "N526"
    file: str
    name: str
    known: tuple[str, ...]
    span: Span | None = None

    def describe(self) -> Diagnostic:
        shown = tuple(ascii(name)[1:-1][:80] for name in self.known[:20])
        between = {",": ",", ";": ";", "|": "|", "\t": "\\t"}
        way = did_you_mean(self.name, self.known)
        for mark, written in between.items():
            if len(self.known) == 1 and mark in self.known[0]:
                way = f'`delimiter = "{written}"`'
        return self.say(f"{self.file} has no column {self.name[:80]!a}", self.span,
                        notes=[f"its columns are {listed(shown)}"], suggestion=way)


@dataclass(frozen=True)
class NotFinite(Problem):
    """NaN or infinity among the data.

    One such number makes the loss, and with the next step every weight, NaN. Take the row away, or
    put a number there, the mean of the others for instance.
    """

    code = "N527"
    file: str
    field: str
    row: int
    place: tuple[int, ...]  # within the row
    value: float
    span: Span | None = None

    def describe(self) -> Diagnostic:
        where = f", at {list(self.place)}" if self.place else ""
        return self.say(f"{self.file}: `{self.field}` is {self.value} in row {self.row:,}{where}",
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
    field: str = "label"
    called: str = ""  # the class or the token that the number counts
    needs: int | None = None  # the end of a range that all rows are in, where it begins at `low`

    def describe(self) -> Diagnostic:
        what = "the label" if self.field == "label" else f"the field `{self.field}`"
        named = f" ({self.called[:80]!a})" if self.called not in ("", str(self.value)) else ""
        way = None
        if self.needs is not None:
            way = (f"the data need `in {self.low}..{self.needs}`: the range of the input, or the "
                   "attribute that it ends with")
        return self.say(f"{self.file}: {what} in row {self.row:,} is {self.value}{named}, outside "
                        f"{self.low}..{self.high}", self.span, suggestion=way)


@dataclass(frozen=True)
class EmptySet(Problem):
    """A data set without rows, from the beginning or after `take`, `fraction` and `classes`."""

    code = "N506"
    name: str
    split: str
    span: Span | None = None

    def describe(self) -> Diagnostic:
        way = None
        if self.split == "validation":
            way = "`hold_out = 0.1` in the source takes a tenth of the training rows for it"
        return self.say(f"the {self.split} part of {self.name} has no rows", self.span,
                        suggestion=way)


@dataclass(frozen=True)
class NotMeasured(Problem):
    """Training goes by a figure of the validation rows, and there are no such rows.

        stop early(val.ce)                     # and digits(hold_out = 0)

    `stop early(…)`, `plateau(…)` and `--keep-best` choose by what validation measures. A source
    without rows for it keeps every fifth of each class back, so that of classes with fewer than
    five rows there is none.
    """

    code = "N528"
    span: Span | None
    what: str
    name: str

    def describe(self) -> Diagnostic:
        return self.say(f"nothing measures {self.what}: the data, {self.name}, have no "
                        "validation rows",
                        self.span, suggestion="`hold_out = 0.2` in the source makes a fifth of the "
                                              "training rows such rows")


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
        power = 1 << max(self.rows.bit_length() - 1, 0)  # the largest that fits
        return self.say(f"a batch of {self.batch:,} does not fit a training set of "
                        f"{self.rows:,} rows", self.span,
                        suggestion=f"`batch {power}`, or `--set batch={power}`")


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
    twice: bool = False

    def describe(self) -> Diagnostic:
        if self.twice:
            return self.say(f"`classes` names {self.given} twice", self.span,
                            suggestion="name each class once")
        known = listed(self.known[:20])
        note = f"the classes are {known}" if known else "these data have no classes"
        return self.say(f"`classes` names {self.given}, which is not a class", self.span,
                        notes=[note],
                        suggestion=did_you_mean(self.given.strip('"'), self.known))


@dataclass(frozen=True)
class NoPairs(Problem):
    """A source whose rows cannot be paired.

        data pairs(fashion_mnist("DIR"))

    Pairs are made by class: the source within has a field `label` with at least two classes, and a
    field `image` or one other field, whose rows are compared.
    """

    code = "N523"
    name: str
    reason: str
    span: Span | None = None

    def describe(self) -> Diagnostic:
        return self.say(f"no pairs can be made of {self.name}: {self.reason}", self.span)


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
