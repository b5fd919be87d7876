"""Problems of names, arguments and compile-time evaluation: codes N2xx."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from netdsl.diagnostics import Diagnostic, Mark, Problem, Severity
from netdsl.diagnostics.suggest import did_you_mean
from netdsl.source import Span


def listed(names: tuple[str, ...]) -> str:
    """`a`, `b`, `c`: names for a message."""
    return ", ".join(f"`{name}`" for name in names)


@dataclass(frozen=True)
class UnknownName(Problem):
    """A name that nothing defines.

    Names come from the declarations of the file (`layer`, `model`, `let`, `use`), the attributes
    and operands of the layer, names bound above with `=`, and the words of the language.

        y = covn{64, k = 3}(x)        # did you mean `conv`?
    """

    code = "N201"
    span: Span
    name: str
    known: tuple[str, ...]

    def describe(self) -> Diagnostic:
        return self.say(f"nothing is called `{self.name}` here", self.span,
                        suggestion=did_you_mean(self.name, self.known))


@dataclass(frozen=True)
class UnknownArgument(Problem):
    """An argument that the layer or function does not have.

        x -> conv{64, kernel = 3}     # the attribute is called `k`

    `netdsl explain conv` lists the attributes of a word of the language.
    """

    code = "N202"
    span: Span
    of: str
    name: str
    known: tuple[str, ...]

    def describe(self) -> Diagnostic:
        has = f"it has {listed(self.known)}" if self.known else "it has none"
        return self.say(f"`{self.of}` has no argument `{self.name}`", self.span, notes=[has],
                        suggestion=did_you_mean(self.name, self.known))


@dataclass(frozen=True)
class MissingArgument(Problem):
    """An argument without a default was not given.

        layer ConvBN{c, k = 3}(x) { … }
        y = ConvBN{k = 5}(x)          # `c` has no default: ConvBN{64, k = 5}
    """

    code = "N203"
    span: Span
    of: str
    name: str

    def describe(self) -> Diagnostic:
        return self.say(f"`{self.of}` needs `{self.name}`", self.span,
                        suggestion=f"give it: `{self.name} = …`")


@dataclass(frozen=True)
class TooManyArguments(Problem):
    """More arguments in a row than the layer or function takes, or one given twice.

        x -> linear{10, true, 3}      # linear has c, bias, init
    """

    code = "N204"
    span: Span
    of: str
    takes: tuple[str, ...]

    def describe(self) -> Diagnostic:
        takes = f"it takes {listed(self.takes)}" if self.takes else "it takes none"
        return self.say(f"`{self.of}` has no place for this argument", self.span, notes=[takes])


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

    def describe(self) -> Diagnostic:
        return self.say(f"`{self.name}` of `{self.of}` must be {self.expected}",
                        Mark(self.span, f"{self.value} {self.reason}"))


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

    def describe(self) -> Diagnostic:
        return self.say(f"`{self.name}` is a plain function: its arguments go in parentheses",
                        self.span, suggestion=f"`{self.name}(…)`")


@dataclass(frozen=True)
class NotApplicable(Problem):
    """Something is applied that is neither an instance nor a function.

        n = 3
        y = n(x)                      # a number cannot be applied
    """

    code = "N208"
    span: Span
    what: str

    def describe(self) -> Diagnostic:
        return self.say(f"{self.what} cannot be applied", self.span)


@dataclass(frozen=True)
class DuplicateLabel(Problem):
    """Two instances with one label would have parameters of the same name.

        x -> c: conv{8} -> c: conv{8}     # c.weight twice

    Labels are the names of parameters in checkpoints and ONNX files; within one body each is
    used once. To share weights, construct once and apply twice.
    """

    code = "N209"
    span: Span
    label: str
    first: Span

    def describe(self) -> Diagnostic:
        return self.say(f"the label `{self.label}` is taken", Mark(self.span, "again here"),
                        Mark(self.first, "first used here"),
                        suggestion="give one of them another label, or apply one instance twice")


@dataclass(frozen=True)
class UnlabelledLoop(Problem):
    """An instance is made in a loop that has no label to name it by.

    A labelled loop gives every turn its own path, `block.0`, `block.1`, …; without a label all
    turns would make the same names.

        for (i in 0..4) { x = x -> conv{8} }             # wrong
        block: for (i in 0..4) { x = x -> conv{8} }      # block.0.weight, block.1.weight, …
    """

    code = "N210"
    span: Span
    name: str

    def describe(self) -> Diagnostic:
        return self.say(f"`{self.name}` is made in a loop without a label", self.span,
                        suggestion="label the loop: `block: for (…) { … }`")


@dataclass(frozen=True)
class SecondUnlabelled(Problem):
    """A second instance without a label in one turn of a loop.

    A single instance takes the loop's own path; two need labels to tell them apart.

        block: for (i in 0..4) { x = x -> conv{8} -> batchnorm{} }               # wrong
        block: for (i in 0..4) { x = x -> conv: conv{8} -> bn: batchnorm{} }     # right
    """

    code = "N211"
    span: Span
    name: str
    first: Span

    def describe(self) -> Diagnostic:
        return self.say(f"`{self.name}` needs a label: this turn of the loop makes another",
                        self.span, Mark(self.first, "this one took the loop's path"),
                        suggestion=f"`label: {self.name}{{…}}`")


@dataclass(frozen=True)
class NeverApplied(Problem):
    """An instance is made and never applied, so its parameters do not exist.

        head = linear{10}             # and no head(x) anywhere
    """

    code = "N212"
    span: Span
    path: str

    def describe(self) -> Diagnostic:
        return self.say(f"`{self.path}` is never applied", self.span,
                        suggestion="apply it to a tensor, or remove it")


@dataclass(frozen=True)
class Redeclared(Problem):
    """One name is declared twice.

    Layers, models, lets, attributes, inputs, outputs and losses have one declaration each.
    Values may be bound again: `x = relu(x)`.
    """

    code = "N213"
    span: Span
    name: str
    first: Span

    def describe(self) -> Diagnostic:
        return self.say(f"`{self.name}` is declared twice", Mark(self.span, "again here"),
                        Mark(self.first, "first declared here"))


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
        return self.say(f"{self.names} names for {self.values} values", self.span,
                        suggestion="`_` discards a value")


@dataclass(frozen=True)
class NotCompileTime(Problem):
    """A condition or count depends on numbers that exist only when the network runs.

    `if`, `when` and `for` are settled at compile time. What depends on a tensor's elements is
    written with `where(condition, a, b)`; what depends on a free dimension, such as the batch,
    cannot be decided before the data are there.
    """

    code = "N215"
    span: Span
    what: str
    is_tensor: bool

    def describe(self) -> Diagnostic:
        way = ("`where(condition, a, b)` chooses element by element" if self.is_tensor
               else "fix the size in the input's declaration")
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

    def describe(self) -> Diagnostic:
        return self.say(f"{self.needed} is needed here, not {self.what}", self.span,
                        suggestion=self.way)


@dataclass(frozen=True)
class AssertionFailed(Problem):
    """An `assert` of the file does not hold for these attributes and sizes.

    The message is the author's; the values in it are those of this instance.
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
class UnusedInput(Problem):
    """An input that no output, loss or metric needs.

    It would have to be fed for nothing; most often a name is mistyped further down.
    """

    code = "N219"
    span: Span
    name: str

    def describe(self) -> Diagnostic:
        return self.say(f"the input `{self.name}` is never used", self.span,
                        suggestion="use it or remove its declaration")


@dataclass(frozen=True)
class UnknownModel(Problem):
    """The file has no model of that name.

    `FILE:MODEL` names a model of the file; `FILE` alone means its last.
    """

    code = "N220"
    file: str
    name: str | None
    known: tuple[str, ...]

    def describe(self) -> Diagnostic:
        if not self.known:
            return self.say(f"{self.file} declares no model",
                            suggestion="`model NAME { input …  output … }` declares one")
        return self.say(f"{self.file} has no model `{self.name}`",
                        notes=[f"it has {listed(self.known)}"],
                        suggestion=did_you_mean(self.name or "", self.known))


@dataclass(frozen=True)
class Recursive(Problem):
    """A layer, model preset or file needs itself.

    A layer's body may not, directly or through others, make the layer itself; repeat with `for`.
    """

    code = "N221"
    span: Span
    name: str

    def describe(self) -> Diagnostic:
        return self.say(f"`{self.name}` needs itself", self.span)


@dataclass(frozen=True)
class NoReturn(Problem):
    """A layer's body ends without `return`.

        layer Block{}(x) { y = relu(x) }              # wrong
        layer Block{}(x) { return relu(x) }           # right
    """

    code = "N222"
    span: Span
    name: str

    def describe(self) -> Diagnostic:
        return self.say(f"`{self.name}` returns nothing", self.span,
                        suggestion="end its body with `return …`")


@dataclass(frozen=True)
class ParametersChanged(Problem):
    """An instance applied again asks for other parameters than the first time.

    The second application shares the weights of the first, so the tensors must have shapes that
    need the same ones.
    """

    code = "N223"
    span: Span
    name: str
    first: str
    second: str

    def describe(self) -> Diagnostic:
        return self.say(
            f"`{self.name}` was {self.first} at the first application, now it would be "
            f"{self.second}", self.span,
            suggestion="construct a second instance, or bring the tensors to one shape",
        )


@dataclass(frozen=True)
class BadImport(Problem):
    """A file named by `use` cannot be had.

    Paths are relative to the file that names them and stay below the folder of the file given on
    the command line; links out of it are not followed.
    """

    code = "N224"
    span: Span
    path: str
    reason: str

    def describe(self) -> Diagnostic:
        return self.say(f"`{self.path}` cannot be used: {self.reason}", self.span)


@dataclass(frozen=True)
class BadIndex(Problem):
    """An index outside of a list or tensor, or of the wrong form.

        xs[3]                         # of a list of three: 0, 1, 2
        x[_, 0]                       # a tensor: `_` keeps an axis, a number drops it, a..b cuts
    """

    code = "N225"
    span: Span
    reason: str

    def describe(self) -> Diagnostic:
        return self.say(self.reason, self.span)


@dataclass(frozen=True)
class NoMember(Problem):
    """Nothing of that name behind the dot.

    A dot reaches a parameter of an instance (`wte.weight`) or a declaration of an imported file
    (`blk.ConvBN`).
    """

    code = "N226"
    span: Span
    of: str
    name: str
    known: tuple[str, ...]

    def describe(self) -> Diagnostic:
        return self.say(f"{self.of} has no `{self.name}`", self.span,
                        notes=[f"it has {listed(self.known)}"] if self.known else [],
                        suggestion=did_you_mean(self.name, self.known))


@dataclass(frozen=True)
class NameByPosition(Problem):
    """A parameter's name rests on the position of its layer.

    An instance without a label is named by its kind and a number: `linear_0`. Inserting another
    one above renames it, and old checkpoints no longer fit. A label keeps the name.
    """

    code = "N227"
    severity: ClassVar[Severity] = "note"
    span: Span
    path: str

    def describe(self) -> Diagnostic:
        return self.say(f"this layer is named by its position: `{self.path}`", self.span,
                        suggestion="give it a label")


@dataclass(frozen=True)
class NothingAsked(Problem):
    """A model without `output` and without `loss` computes nothing.

        model M {
            input image: f32[B, 1, 28, 28]
            output logits = image -> flatten -> fc: linear{10}
        }
    """

    code = "N228"
    span: Span
    name: str

    def describe(self) -> Diagnostic:
        return self.say(f"the model `{self.name}` has neither an output nor a loss", self.span,
                        suggestion="declare one: `output logits = …`")


@dataclass(frozen=True)
class NotYet(Problem):
    """The language has it, this version does not build it yet.

    The file is well-formed; what it says here comes with a later version of netdsl.
    """

    code = "N290"
    span: Span
    what: str

    def describe(self) -> Diagnostic:
        return self.say(f"{self.what} is not supported by this version of netdsl", self.span)


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
