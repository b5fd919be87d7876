"""Problems of state, of copies of layers and of frozen ones: codes N25x."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from netdsl.diagnostics import Diagnostic, Mark, Problem, Severity
from netdsl.source import Span


@dataclass(frozen=True)
class BuffersUnsaid(Problem):
    """A copy of a layer with buffers does not say what becomes of them.

    Batch norm keeps running statistics. A copy that follows another layer's weights can average
    them too, take them over, or keep its own; forgetting the question is the best-known mistake in
    re-implementations of MoCo and BYOL.

        target = ema(online, decay = 0.99, buffers = "ema")       # averaged like the weights
        target = ema(online, decay = 0.99, buffers = "copy")      # those of the source
        target = ema(online, decay = 0.99, buffers = "own")       # from its own passes
    """

    code = "N250"
    span: Span
    source: str
    buffer: str

    def describe(self) -> Diagnostic:
        return self.say(
            f"`{self.source}` holds buffers such as `{self.buffer}`: say what the copy's become",
            self.span, suggestion='`buffers = "ema"`, `"copy"` or `"own"`',
        )


@dataclass(frozen=True)
class CopyDiffers(Problem):
    """A copy has a parameter that its source does not have.

    The copy's body runs where the copy is applied. What it holds must exist in the source too, so
    both are applied to tensors of one shape: the same branches are taken, the same parameters made.
    """

    code = "N251"
    span: Span
    name: str
    source: str
    found: str
    declared: str

    def describe(self) -> Diagnostic:
        has = f"is {self.declared} there" if self.declared else "does not exist"
        return self.say(f"`{self.name}` is {self.found}, but `{self.source}` {has}", self.span,
                        suggestion="apply the copy and its source to tensors of one shape")


@dataclass(frozen=True)
class AppliedBefore(Problem):
    """A layer is frozen after it was applied.

    `frozen` is a property of the whole instance, so it is said where the instance is made.

        encoder = frozen(Encoder{})
    """

    code = "N252"
    span: Span
    path: str
    made: Span

    def describe(self) -> Diagnostic:
        return self.say(f"`{self.path}` was applied before it is frozen here", self.span,
                        Mark(self.made, "made here"),
                        suggestion=f"`frozen({self.made.text})`")


@dataclass(frozen=True)
class NextTwice(Problem):
    """A state gets two next values.

    All updates of a step commit together, so a state has one next value. In a layer that is
    applied twice its `update` runs twice. Construct the layer in both places, and each instance has
    a state of its own; or keep the state in the model.

        y = x -> a: Counted{} -> b: Counted{}
    """

    code = "N253"
    span: Span
    name: str
    first: Span
    applied: tuple[Span, ...] = ()  # where the layer is applied first, and again
    made: Span | None = None

    def describe(self) -> Diagnostic:
        again = self.first == self.span
        message = (f"the update of `{self.name}` runs twice, once for each application"
                   if again else f"`{self.name}` has a next value already")
        if not again or self.made is None:
            marks = () if again else (Mark(self.first, "given here first"),)
            return self.say(message, self.span, *marks)
        places = dict.fromkeys(self.applied)
        texts = "applied here" if len(places) > 1 else "applied here more than once", "and here"
        return self.say(message, self.span, *map(Mark, places, texts), suggestion=(
            f"construct it in each place, for a state of its own: `{self.made.text}`"))


@dataclass(frozen=True)
class StateChanges(Problem):
    """What a state begins with, or becomes, is not of its type.

        state head: i64[] = 0
        update { next head = head + 1 }               # i64 again, and again a scalar
    """

    code = "N254"
    span: Span
    name: str
    found: str
    declared: str
    place: Span

    def describe(self) -> Diagnostic:
        return self.say(f"the state `{self.name}` is {self.declared}, this is {self.found}",
                        self.span, Mark(self.place, "declared here"))


@dataclass(frozen=True)
class BeginDepends(Problem):
    """What a state begins with depends on inputs or weights.

    A state begins before anything is fed: with an initialiser, a number, or random draws and
    arithmetic on them.

        state queue: f32[d, K] = l2norm(randn([d, K]), axis = 0)
    """

    code = "N255"
    span: Span
    name: str
    on: str

    def describe(self) -> Diagnostic:
        return self.say(f"the state `{self.name}` begins with something that depends on "
                        f"`{self.on}`", self.span,
                        suggestion="an initialiser such as `zeros()`, or random draws")


@dataclass(frozen=True)
class NotAState(Problem):
    """`next` stands before a name that is no state of this body.

        state count: i64[] = 0
        update { next count = count + 1 }
    """

    code = "N256"
    span: Span
    name: str
    states: tuple[str, ...]

    def describe(self) -> Diagnostic:
        known = ", ".join(f"`{name}`" for name in self.states)
        return self.say(f"`{self.name}` is not a state of this body", self.span,
                        suggestion=f"there is {known}" if known else
                        f"declare it: `state {self.name}: f32[…] = zeros()`")


@dataclass(frozen=True)
class NeverUpdated(Problem):
    """A state has no next value: it stays what it begins with.

    Give it one in an `update` block, or make it a `parameter` if it is to be trained.
    """

    code = "N257"
    severity: ClassVar[Severity] = "warning"
    span: Span
    name: str

    def describe(self) -> Diagnostic:
        return self.say(f"the state `{self.name}` never changes", self.span,
                        suggestion=f"`update {{ next {self.name} = … }}`")


@dataclass(frozen=True)
class DecayOutside(Problem):
    """The decay of a copy is no number from 0 to 1.

    copy ← decay · copy + (1 - decay) · source. It is a number, or a scalar input that a schedule
    feeds.

        target = ema(online, decay = 0.996)
    """

    code = "N258"
    span: Span
    found: str

    def describe(self) -> Diagnostic:
        return self.say(f"the decay of a copy is a number from 0 to 1 or a scalar f32 input, not "
                        f"{self.found}", self.span)
