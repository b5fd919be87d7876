"""Problems of how a train program feeds its model: codes N441 to N446, N457 and N540 to
N542."""

from __future__ import annotations

from dataclasses import dataclass

from netdsl.diagnostics import Diagnostic, Mark, Problem
from netdsl.diagnostics.names import listed
from netdsl.diagnostics.suggest import did_you_mean, nearest
from netdsl.source import Span


@dataclass(frozen=True)
class NotAnInput(Problem):
    """A `feed` for something that is no input of the model.

        feed imgae = image -> random_flip()    # did you mean `image`?
    """

    code = "N441"
    span: Span | None
    name: str
    known: tuple[str, ...]

    def describe(self) -> Diagnostic:
        return self.say(f"the model has no input `{self.name}`", self.span,
                        notes=[f"its inputs are {listed(self.known)}"],
                        suggestion=did_you_mean(self.name, self.known))


@dataclass(frozen=True)
class FedTwice(Problem):
    """Two `feed` entries for one input."""

    code = "N442"
    span: Span | None
    name: str
    first: Span | None = None

    def describe(self) -> Diagnostic:
        first = None if self.first is None else Mark(self.first, "first here")
        return self.say(f"the input `{self.name}` is fed twice", self.span, first)


@dataclass(frozen=True)
class NotFed(Problem):
    """An input that training or validation needs and nothing feeds.

    A field of the data feeds the input of the same name; others are said:

        feed a = image -> random_flip()
        feed noise = normal(std = 1)
        feed momentum = cosine(0.996, 1.0)

    A table has a field for each column. Its source names the one that is the label and gathers
    others into one field `x`:

        data csv("iris.csv", label = "species", features = ["length", "width"])
    """

    code = "N443"
    span: Span | None
    names: tuple[str, ...]
    fields: tuple[str, ...]
    head: str = "…"  # what could feed the first of them
    arguments: tuple[str, ...] = ()  # of the source, that would make all of them

    def describe(self) -> Diagnostic:
        way = f"say what does: `feed {self.names[0]} = {self.head}`"
        if self.arguments:
            way = f"give the source `{', '.join(self.arguments)}`"
        inputs = f"input{'s' if len(self.names) > 1 else ''} {listed(self.names)}"
        return self.say(f"nothing feeds the {inputs}", self.span,
                        notes=[f"the data have the fields {listed(self.fields)}"],
                        suggestion=way)


@dataclass(frozen=True)
class UnknownField(Problem):
    """A field that the data set does not have.

        feed a = imgae -> random_flip()        # did you mean `image`?
        feed often = data.frequencies          # a figure of all rows, behind `data.`
    """

    code = "N444"
    span: Span | None
    name: str
    known: tuple[str, ...]
    facts: tuple[str, ...] = ()

    def describe(self) -> Diagnostic:
        way, fact = did_you_mean(self.name, self.known), nearest(self.name, self.facts)
        if way is None and fact is not None:
            way = f"did you mean `data.{fact}`?"
        return self.say(f"the data have no field `{self.name}`", self.span,
                        notes=[f"their fields are {listed(self.known)}"], suggestion=way)


@dataclass(frozen=True)
class UnknownPhase(Problem):
    """A condition after `when` in a feed that is neither `training` nor `validating`."""

    code = "N445"
    span: Span | None
    name: str

    def describe(self) -> Diagnostic:
        return self.say(f"a feed knows the conditions `training` and `validating`, not "
                        f"`{self.name}`", self.span,
                        suggestion=did_you_mean(self.name, ("training", "validating")))


@dataclass(frozen=True)
class DoesNotFit(Problem):
    """What a feed makes does not have the type of the input it is for.

        input image: f32[B, 1, 28, 28]         # and the data hold images of 8×8
        input momentum: f32[]                  # one number: a schedule, not a field

    Nothing is resized or cast behind your back, except that whole numbers become floats.
    """

    code = "N446"
    span: Span | None
    input: str
    type: str
    what: str
    reason: str

    def describe(self) -> Diagnostic:
        return self.say(f"{self.what} does not fit the input `{self.input}: {self.type}`: "
                        f"{self.reason}", self.span)


@dataclass(frozen=True)
class UnknownFact(Problem):
    """`data.NAME` for something that the data source does not know.

    A source knows a few figures of all its rows, such as how often each class occurs, which a
    model may need as an input:

        feed freq = data.frequencies
    """

    code = "N457"
    span: Span | None
    name: str
    known: tuple[str, ...]

    def describe(self) -> Diagnostic:
        known = tuple(f"data.{name}" for name in self.known)
        return self.say(f"the data source does not know `data.{self.name}`", self.span,
                        notes=[f"it knows {listed(known) or 'nothing'}"],
                        suggestion=did_you_mean(f"data.{self.name}", known))


# ------------------------------------------------------------------ rows on their way


@dataclass(frozen=True)
class StageDoesNotFit(Problem):
    """A transform of a feed that cannot work on the rows it gets.

        feed image = image -> center_crop(224)     # and the images have 28 × 28 pixels
        feed row = row -> random_flip()            # and a row is a list of numbers

    Sizes that the data source knows are checked by `netdsl check`; those that only the files know
    when the row is read, and then the message names the row.

    Put what changes the size before it, such as `resize(256)`, or leave the transform out.
    """

    code = "N540"
    span: Span | None
    stage: str
    reason: str
    row: str = ""
    way: str | None = None

    def describe(self) -> Diagnostic:
        return self.say(f"`{self.stage}` cannot work on {self.row or 'these rows'}: {self.reason}",
                        self.span, suggestion=self.way)


@dataclass(frozen=True)
class SizesDiffer(Problem):
    """The rows of a batch differ in size.

    A batch is one array, so images of different sizes are brought to one size on the way:

        feed image = image -> resize(256) -> center_crop(224)

    `resize` with one number keeps the form of each image, so that a crop has to follow;
    `resize([224, 224])` and `random_resized_crop(224)` give one size by themselves.
    """

    code = "N541"
    span: Span | None
    input: str
    rows: tuple[tuple[str, tuple[int, ...]], ...]  # two that differ: where from, shape
    sizes: tuple[int | None, ...]  # height and width that the input declares

    def describe(self) -> Diagnostic:
        notes = [f"{place}: {list(shape)}" for place, shape in self.rows]
        sides = self.sizes if len(self.sizes) == 2 and None not in self.sizes else (224, 224)
        crop = sides[0] if sides[0] == sides[1] else list(sides)
        way = f"`-> resize({max(sides)}) -> center_crop({crop})` makes them equal"
        images = all(len(shape) == 3 for _, shape in self.rows)
        return self.say(f"the rows for the input `{self.input}` differ in size", self.span,
                        notes=notes, suggestion=way if images else None)


@dataclass(frozen=True)
class NotBrightness(Problem):
    """A transform of colours for values that are not 0 for black and 1 for white.

        feed image = image -> normalize(mean = 0.5, std = 0.25) -> color_jitter(0.4)

    After `normalize` black is below 0, and what multiplies it makes it darker than black. Whole
    numbers from 0 to 255 become floats as they are.

    Colours come first and `normalize` last; `normalize(mean = 0, std = 255)` before them makes
    parts of 1 of bytes.
    """

    code = "N542"
    span: Span | None
    stage: str
    reason: str
    way: str

    def describe(self) -> Diagnostic:
        return self.say(f"`{self.stage}` takes 0 for black and 1 for white, but {self.reason}",
                        self.span, suggestion=self.way)
