"""Problems of compile-time evaluation, from arguments to bounds: codes N2xx and N701."""

from __future__ import annotations

from dataclasses import dataclass

from netdsl.diagnostics import Diagnostic, Mark, Problem
from netdsl.diagnostics.names import listed
from netdsl.diagnostics.origins import AxisOrigin, told
from netdsl.diagnostics.suggest import argument_phrased, did_you_mean, meant
from netdsl.source import Span

TYPICAL = {"c": "64", "k": "3", "p": "0.5", "axis": "1", "lr": "1e-3",
           "peak": "0.1", "figure": "val.top1"}  # of arguments, for examples

@dataclass(frozen=True)
class UnknownArgument(Problem):
    """An argument that the layer, function, source, optimiser … does not have.

        x -> conv{64, kernel = 3}               # the attribute is called `k`
        sgd(lr = 0.1, momentun = 0.9)           # did you mean `momentum`?

    `netdsl explain conv` lists the arguments of a word.
    """

    code = "N202"
    span: Span | None
    of: str
    name: str
    known: tuple[str, ...]
    way: str | None = None
    others: tuple[tuple[str, Span], ...] = ()  # told with it
    noun: str = "argument"

    def describe(self) -> Diagnostic:
        has = f"it has {listed(self.known)}" if self.known else "it has none"
        what = f"{self.noun}{'s' * bool(self.others)} "
        what += listed((self.name, *(name for name, _ in self.others)))
        ours = meant(self.name, self.known)
        way = self.way or ours and f"did you mean `{ours}`?" or argument_phrased(self.name)
        way = way or did_you_mean(self.name, self.known)
        return self.say(f"`{self.of}` has no {what}", self.span, *(s for _, s in self.others),
                        notes=[has], suggestion=way)


@dataclass(frozen=True)
class MissingArgument(Problem):
    """An argument without a default was not given.

        layer ConvBN{c, k = 3}(x) { … }
        y = ConvBN{k = 5}(x)                    # `c` has no default: ConvBN{64, k = 5}
        minimize ce with sgd(momentum = 0.9)    # `lr` has none either
    """

    code = "N203"
    span: Span | None
    of: str
    name: str
    is_function: bool = False  # of the language: braces do not construct it

    def describe(self) -> Diagnostic:
        argument = f"{self.name} = {TYPICAL.get(self.name, '…')}"
        text = "" if self.span is None else self.span.text
        if self.is_function and text.endswith("{}"):
            text = f"{text[:-2]}()"
        return self.say(f"`{self.of}` needs `{self.name}`", self.span,
                        suggestion=f"`{_with_argument(text, argument)}`")


def _with_argument(text: str, argument: str) -> str:
    """A short call with one argument more; the argument alone elsewhere."""
    if text.isidentifier():
        return f"{text}({argument})"
    if text[-1:] not in (")", "}") or "\n" in text or len(text) > 60:
        return argument
    inside = "" if text[-2] in "({" else ", "
    return f"{text[:-1]}{inside}{argument}{text[-1]}"


@dataclass(frozen=True)
class TooManyArguments(Problem):
    """More arguments in a row than there are places for, or one given twice.

        x -> relu(0.1)                          # relu takes a tensor and nothing else
        cosine(0.1, 0.0, 90)                    # cosine takes `peak` and `floor`
        x -> conv{1, 16, 3}                     # channels and window: `conv{16, 3}`

    Some arguments are given by name alone: `take` of every data source, and of the language's
    layers all but those that must be given and the window `k`.
    """

    code = "N204"
    span: Span | None
    of: str
    takes: tuple[str, ...]
    way: str | None = None
    in_row: int | None = None  # how many go by position, where others go by name alone

    def describe(self) -> Diagnostic:
        row, rest = self.takes[:self.in_row], self.takes[len(self.takes[:self.in_row]):]
        if rest:
            takes = [f"without their names it takes {listed(row) if row else 'none'}, by name "
                     f"{listed(rest)}"]
            message = f"`{self.of}` does not take so many arguments without their names"
        else:
            takes = [f"it takes {listed(self.takes)}"] if self.takes else []
            message = f"`{self.of}` is given more than it takes"
        return self.say(message, self.span, notes=takes, suggestion=self.way)


@dataclass(frozen=True)
class BadValue(Problem):
    """An argument has a value that it cannot take.

        x -> conv{64, k = 0}          # `k` must be a whole number of at least 1
        x -> conv{100 / 3}            # sizes are exact: 33.33… is not a whole number
    """

    code = "N205"
    span: Span
    of: str
    name: str
    value: str
    reason: str
    expected: str
    way: str | None = None
    free: Mark | None = None  # where a size of it is declared

    def describe(self) -> Diagnostic:
        return self.say(f"`{self.name}` of `{self.of}` must be {self.expected}",
                        Mark(self.span, f"{self.value} {self.reason}"), self.free,
                        suggestion=self.way)


@dataclass(frozen=True)
class BracesMissing(Problem):
    """A layer is constructed with braces before it is applied.

    `{}` is compile time: it makes an instance, which owns its parameters. `()` is run time: it
    applies the instance to tensors.

        conv(64, k = 3)(x)            # wrong
        conv{64, k = 3}(x)            # right
        x -> conv{64, k = 3}          # the same
    """

    code = "N206"
    span: Span
    name: str
    example: str

    def describe(self) -> Diagnostic:
        return self.say(
            f"`{self.name}` is a layer: construct it with braces before it is applied", self.span,
            notes=["`{}` makes an instance and owns parameters, `()` applies it to tensors"],
            suggestion=f"`{self.example}`",
        )


@dataclass(frozen=True)
class ParenthesesMissing(Problem):
    """A plain function takes its arguments in parentheses.

    Only what owns parameters is constructed with braces.

        x -> maxpool{2}               # wrong
        x -> maxpool(2)               # right
    """

    code = "N207"
    span: Span
    name: str
    arguments: str

    def describe(self) -> Diagnostic:
        return self.say(f"`{self.name}` is a plain function: its arguments go in parentheses",
                        self.span, suggestion=f"`{self.name}({self.arguments})`")


@dataclass(frozen=True)
class NotApplicable(Problem):
    """Something is applied that is neither an instance nor a function.

        n = 3
        y = n(x)                      # a number cannot be applied
    """

    code = "N208"
    span: Span
    what: str
    bound: Mark | None = None
    hidden: str | None = None  # the word of the language that is called like it

    def describe(self) -> Diagnostic:
        way = None
        if self.hidden is not None:
            way = f"give it another name, so that `{self.hidden}` means the word of the language"
        return self.say(f"{self.what} cannot be applied", self.span, self.bound, suggestion=way)


@dataclass(frozen=True)
class WrongCount(Problem):
    """Names on the left of `=` and values on the right do not pair up.

        q, k = split3(x)              # three values, two names
        q, k, _ = split3(x)           # `_` discards one
    """

    code = "N214"
    span: Span
    names: int
    values: int

    def describe(self) -> Diagnostic:
        values = f"{self.values} value" + ("" if self.values == 1 else "s")
        return self.say(f"{self.names} names for {values}", self.span,
                        suggestion="`_` discards a value" if self.names < self.values else None)


@dataclass(frozen=True)
class NotCompileTime(Problem):
    """A condition or count depends on numbers that exist only when the network runs.

    `if`, `when` and `for` are settled at compile time. What depends on a tensor's elements is
    written with `where(condition, a, b)`; what depends on a free dimension, such as the batch,
    cannot be decided before the data are there, unless an `assert` above settles it.

        assert B > 1 else "a batch of one has no neighbours"
        if (B > 1) { … }              # true
    """

    code = "N215"
    span: Span
    what: str
    is_tensor: bool
    way: str | None = None

    def describe(self) -> Diagnostic:
        way = self.way or (
            "`where(condition, a, b)` chooses element by element" if self.is_tensor
            else "fix the size in the input's declaration"
        )
        return self.say(f"{self.what} is not known at compile time", self.span, suggestion=way)


@dataclass(frozen=True)
class WrongKind(Problem):
    """A value of one kind stands where another is needed.

        for (i in 3) { … }            # a range or list is needed: 0..3
        x = conv{3} + 1               # an instance is not a tensor: apply it first
    """

    code = "N216"
    span: Span
    what: str
    needed: str
    way: str | None = None
    made: Mark | None = None  # where it comes from

    def describe(self) -> Diagnostic:
        return self.say(f"{self.needed} is needed here, not {self.what}", self.span, self.made,
                        suggestion=self.way)


@dataclass(frozen=True)
class AssertionFailed(Problem):
    """An `assert` of the file does not hold for these attributes and sizes.

    The message is the author's; the values in it are those of this instance. `{name}` in it stands
    for a value, `{{` and `}}` for braces. What comes behind it in that body is left out until it
    holds.

        assert d % heads == 0 else "the width {d} must be a multiple of the {heads} heads"
    """

    code = "N217"
    span: Span
    message: str

    def describe(self) -> Diagnostic:
        return self.say(self.message, self.span)


@dataclass(frozen=True)
class BadOperation(Problem):
    """An operator between values that it does not join.

        "a" + 1                       # a text and a number
        1 / 0                         # division by zero
    """

    code = "N218"
    span: Span
    operator: str
    reason: str

    def describe(self) -> Diagnostic:
        return self.say(f"`{self.operator}` does not work here: {self.reason}", self.span)


@dataclass(frozen=True)
class BadIndex(Problem):
    """An index outside of a list or tensor, or of the wrong form.

        xs[3]                         # of a list of three: 0, 1, 2
        x[_, 0]                       # a tensor: `_` keeps an axis, a number drops it, a..b cuts
    """

    code = "N225"
    span: Span
    reason: str
    origins: tuple[AxisOrigin, ...] = ()
    way: str | None = None

    def describe(self) -> Diagnostic:
        return self.say(self.reason, self.span, notes=told(self.origins, self.span.source),
                        suggestion=self.way)


@dataclass(frozen=True)
class TooMuch(Problem):
    """The file asks for more than the compiler is willing to build.

    Loops, nesting and the number of operations are bounded, so that any file can be checked
    safely; networks of this size are far beyond what can be run.
    """

    code = "N701"
    span: Span
    what: str
    limit: int

    def describe(self) -> Diagnostic:
        return self.say(f"{self.what}: more than {self.limit:,}", self.span)
