"""Problems of names and where they can be seen: codes N24x."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Literal

from netdsl.diagnostics import Diagnostic, Mark, Problem, Severity
from netdsl.source import Span


@dataclass(frozen=True)
class LabelAsValue(Problem):
    """A label is used as a value.

    A label names the parameters of a layer in checkpoints. What the layer gives, and the layer
    itself, are values, and get names with `=`:

        x = image -> conv1: conv{16} -> relu          # conv1.weight, conv1.bias
        y = conv1 -> relu                             # wrong: `conv1` is a label

        h = image -> conv1: conv{16}                  # the tensor it gives
        conv1 = conv{16}                              # the layer: conv1(image), conv1.weight
    """

    code = "N240"
    span: Span
    label: str
    place: Span
    way: str

    def describe(self) -> Diagnostic:
        return self.say(f"`{self.label}` is a label, which is not a value", self.span,
                        Mark(self.place, "labelled here"), suggestion=self.way)


@dataclass(frozen=True)
class OutOfScope(Problem):
    """A name is used where it has ended, or was never reached.

    What a `for` binds first ends with each turn. What is bound before the loop is carried from
    turn to turn and keeps its last value:

        x = image
        block: for (i in 0..3) { x = x -> conv{8} }   # `x` is there behind the loop
        block: for (i in 0..3) { y = x -> conv{8} }   # `y` and `i` are not

    What one branch of an `if` binds exists only where that branch is taken.
    """

    code = "N241"
    span: Span
    name: str
    bound: Span
    where: Literal["turn", "header", "branch"]  # of a loop, or of an `if`

    def describe(self) -> Diagnostic:
        if self.where != "branch":
            way = (f"bind it before the loop, `{self.name} = …`: then each turn binds it again "
                   "and its last value stays")
            if self.where == "header":
                way = f"give its value to a name bound before the loop: `last = {self.name}`"
            return self.say(f"`{self.name}` ended with the loop that bound it", self.span,
                            Mark(self.bound, "it ends with each turn"), suggestion=way)
        return self.say(f"nothing is called `{self.name}` here: its branch was not taken",
                        self.span, Mark(self.bound, "bound only here"),
                        suggestion=f"bind it before the `if`, or in every branch of it: "
                                   f"`else {{ {self.name} = … }}`")


@dataclass(frozen=True)
class TensorInBraces(Problem):
    """A tensor stands in braces.

    `{}` is compile time: it makes a layer out of numbers, flags and other layers. `()` is run time:
    it gives the layer its tensors.

        conv{image, 16, k = 3}                        # wrong
        conv{16, k = 3}(image)                        # right
        image -> conv{16, k = 3}                      # the same
    """

    code = "N242"
    span: Span
    of: str
    type: str
    example: str

    def describe(self) -> Diagnostic:
        return self.say(f"`{self.of}` takes no tensor in its braces",
                        Mark(self.span, f"this is {self.type}"), suggestion=f"`{self.example}`")


@dataclass(frozen=True)
class FixedName(Problem):
    """`true`, `false` or `none` is bound to something.

    They are values of the language, as numbers are, and mean the same in every file.
    """

    code = "N243"
    span: Span
    name: str

    def describe(self) -> Diagnostic:
        return self.say(f"`{self.name}` is a value of the language and stands for itself",
                        self.span, suggestion=f"choose another name: `{self.name}_`")


@dataclass(frozen=True)
class HiddenWord(Problem):
    """A declaration hides a word of the language.

    In this file the name stands for what is declared. Inside a layer called `conv`, `conv{8}` is
    that layer itself and no longer the convolution.

        layer Conv{c}(x) { return x -> conv: conv{c} }    # layers of files begin with a capital
    """

    code = "N244"
    severity: ClassVar[Severity] = "warning"
    span: Span
    name: str
    kind: str

    def describe(self) -> Diagnostic:
        return self.say(f"`{self.name}` hides {self.kind} of the language of that name",
                        self.span, suggestion=f"call it something else: `{_renamed(self.name)}`")


def _renamed(name: str) -> str:
    return name[0].upper() + name[1:] if name[0].islower() else f"{name}_"


@dataclass(frozen=True)
class NeverUsed(Problem):
    """Something is declared and never used.

    An attribute or operand of a layer that its body does not mention, a `let`, a `use`: most often
    another name is mistyped, or a number is written where the name was meant.

        layer Conv{c, stride = 2}(x) { return x -> conv{c, stride = 1} }    # `stride` does nothing
    """

    code = "N245"
    severity: ClassVar[Severity] = "warning"
    waits: ClassVar[bool] = True
    span: Span
    what: str

    def describe(self) -> Diagnostic:
        return self.say(f"{self.what} is never used", self.span,
                        suggestion="use it, or remove it")


@dataclass(frozen=True)
class NeverReached(Problem):
    """Statements follow a `return`.

    A layer's body ends with `return`; what stands behind it is never built.
    """

    code = "N246"
    severity: ClassVar[Severity] = "warning"
    span: Span
    ended: Span

    def describe(self) -> Diagnostic:
        return self.say("this is never reached", self.span, Mark(self.ended, "the body ends here"),
                        suggestion="move it above the `return`, or remove it")


@dataclass(frozen=True)
class LooseChoice(Problem):
    """A pipeline follows an `if … then … else …` without parentheses.

    `->` binds loosest of all: what follows is applied to whatever was chosen, not only to what
    stands behind `else`. Parentheses say which is meant:

        y = (if deep then a else b) -> relu           # relu of either
        y = if deep then a else (b -> relu)           # relu of b alone
    """

    code = "N247"
    severity: ClassVar[Severity] = "warning"
    span: Span
    otherwise: Span
    way: str

    def describe(self) -> Diagnostic:
        return self.say("this is applied to both branches of the `if`", self.span,
                        Mark(self.otherwise, "not to this alone"), suggestion=f"`{self.way}`")


@dataclass(frozen=True)
class LabelOnValue(Problem):
    """A label stands before something that is no layer.

    `name: …` labels a layer or function where it is made. An argument, and every other value, gets
    its name with `=`:

        conv{16, k: 3}                                # wrong: `k` would be a label
        conv{16, k = 3}                               # right
    """

    code = "N248"
    span: Span
    label: str
    what: str
    way: str

    def describe(self) -> Diagnostic:
        return self.say(f"`{self.label}:` labels a layer, and {self.what} is none", self.span,
                        suggestion=f"write `{self.way}`")


@dataclass(frozen=True)
class GuardedBlock(Problem):
    """A block stands behind `when`.

    `when` guards the one stage to its left and takes no braces; statements are guarded by `if`:

        x -> relu -> dropout(0.5) when p > 0
        if (p > 0) { x = dropout(x, 0.5) }
    """

    code = "N249"
    span: Span
    way: str

    def describe(self) -> Diagnostic:
        return self.say("`when` guards the one stage to its left and has no block", self.span,
                        suggestion=f"`{self.way}`")
