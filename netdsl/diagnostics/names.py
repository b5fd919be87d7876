"""Problems of names: what is declared, labelled, imported and asked for. Codes N2xx."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from netdsl.diagnostics import Diagnostic, Mark, Problem, Severity
from netdsl.diagnostics.suggest import did_you_mean, phrased
from netdsl.source import Span

MOST_MARKS = 6  # of one message


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
    where: Mark | None = None  # a place that has to do with it
    way: str | None = None

    def describe(self) -> Diagnostic:
        way = self.way or phrased(self.name) or did_you_mean(self.name, self.known)
        return self.say(f"nothing is called `{self.name}` here", self.span, self.where,
                        suggestion=way)


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
                        suggestion=f"`{self.name}1: {self.span.text}`")


@dataclass(frozen=True)
class NeverApplied(Problem):
    """An instance is made and never applied, so its parameters do not exist.

        head = linear{10}             # and no head(x) anywhere
    """

    code = "N212"
    span: Span
    path: str
    is_followed: bool = False  # by a copy

    def describe(self) -> Diagnostic:
        if self.is_followed:
            return self.say("a copy follows a layer that is applied too, and this one never is",
                            self.span, suggestion="give it a name and apply it: "
                            f"`m = {self.span.text}`, then `m(x)` and `ema(m)`")
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
    span: Span | None = None

    def describe(self) -> Diagnostic:
        if not self.known:
            return self.say(f"{self.file} declares no model", self.span,
                            suggestion="`model NAME { input …  output … }` declares one")
        return self.say(f"{self.file} has no model `{self.name}`", self.span,
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
    is_layer: bool = False
    hidden: str | None = None  # "the layer", where a word of the language is called the same

    def describe(self) -> Diagnostic:
        way = "repeat with `for`: `block: for (i in 0..n) { x = … }`" if self.is_layer else None
        if self.hidden is not None:
            way = (f"call what is declared something else, and `{self.name}` is {self.hidden} of "
                   "the language again")
        return self.say(f"`{self.name}` needs itself", self.span, suggestion=way)


@dataclass(frozen=True)
class NoReturn(Problem):
    """A layer's body ends without `return`.

        layer Block{}(x) { y = relu(x) }              # wrong
        layer Block{}(x) { return relu(x) }           # right
    """

    code = "N222"
    span: Span
    name: str
    last: str = "…"  # what its last statement binds

    def describe(self) -> Diagnostic:
        return self.say(f"`{self.name}` returns nothing", self.span,
                        suggestion=f"end its body with `return {self.last}`")


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
    the command line; links out of it are not followed. `--root FOLDER` names another folder from
    which files may be imported.
    """

    code = "N224"
    span: Span
    path: str
    reason: str
    way: str | None = None

    def describe(self) -> Diagnostic:
        message = f"`{self.path}` cannot be used: {self.reason}"
        return self.say(message, self.span, suggestion=self.way)


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
    way: str | None = None

    def describe(self) -> Diagnostic:
        return self.say(f"{self.of} has no `{self.name}`", self.span,
                        notes=[f"it has {listed(self.known)}"] if self.known else [],
                        suggestion=self.way or did_you_mean(self.name, self.known))


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
    more: tuple[NameByPosition, ...] = ()

    def describe(self) -> Diagnostic:
        named = (self, *self.more)
        text = " ".join(self.span.text.split())
        label = f"{self.path.rpartition('.')[2].rpartition('_')[0]}1: {text}"
        way = f"labels keep names: `{label}`" if len(label) <= 60 else "labels keep names"
        if not self.more:
            return self.say(f"this layer is named by its position: `{self.path}`", self.span,
                            suggestion=way)
        marks = [Mark(each.span, each.path) for each in named[:MOST_MARKS]]
        return self.say(f"{len(named)} layers are named by their positions", *marks,
                        suggestion=way)


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
class OwnedByNothing(Problem):
    """An instance is made where nothing can own its parameters.

    Parameters belong to the model or layer in whose body they are made, and are named by its
    path. A `let` of a file, the default of an attribute and the arguments of a preset have none:
    they name the layer, and the body that uses it constructs it.

        layer Block{act = prelu{}}(x) { … }           # wrong
        layer Block{act = prelu}(x) { return x -> act: act{} }
    """

    code = "N229"
    span: Span
    kind: str

    def describe(self) -> Diagnostic:
        return self.say(f"an instance of `{self.kind}` made here would belong to nothing",
                        self.span, suggestion=f"name the layer alone, `{self.kind}`, and "
                        "construct it in the body that applies it")


@dataclass(frozen=True)
class DeadParameters(Problem):
    """Parameters that no output and no loss depends on.

    They would be stored and never trained. Most often the result of a layer is overwritten or
    its name is mistyped further down.

        h = x -> fc1: linear{64} -> relu
        logits = x -> fc2: linear{10}                 # `h` is never used: fc1 does nothing
    """

    code = "N230"
    severity: ClassVar[Severity] = "warning"
    span: Span
    what: str

    def describe(self) -> Diagnostic:
        return self.say(f"neither an output nor a loss depends on {self.what}",
                        self.span, suggestion="use the result, or remove it")


@dataclass(frozen=True)
class NearName(Problem):
    """A name in a shape is new, but looks like one that is known.

    In a signature a known name constrains the size; any other takes the size it meets. A mistyped
    name therefore checks nothing.

        layer Head{heads}(x: [B, head, L, d]) { … }   # `head` is whatever comes: `heads` is meant
    """

    code = "N231"
    severity: ClassVar[Severity] = "note"
    span: Span
    name: str
    near: str

    def describe(self) -> Diagnostic:
        return self.say(f"`{self.name}` is a new name here and takes whatever size it meets",
                        self.span, suggestion=f"did you mean `{self.near}`?")


@dataclass(frozen=True)
class NotApplied(Problem):
    """A parameter is asked for before it exists.

    The first application of an instance makes its parameters, because their shapes follow from
    the tensor that comes in.

        wte = embedding{V, d}
        y = matmul(x, transpose(wte.weight))          # wrong: nothing has gone through wte yet
    """

    code = "N232"
    span: Span
    of: str
    made: Span

    def describe(self) -> Diagnostic:
        return self.say(f"{self.of} has no parameters before it is applied", self.span,
                        Mark(self.made, "made here"), suggestion="apply it to a tensor above")
