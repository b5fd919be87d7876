"""Problems of recipes, which name registered rows (sources, transforms, optimisers, schedules), and
of their arguments: codes N40x."""

from __future__ import annotations

from dataclasses import dataclass

from netdsl.diagnostics import Diagnostic, Problem
from netdsl.diagnostics.names import listed
from netdsl.diagnostics.suggest import did_you_mean
from netdsl.source import Span


@dataclass(frozen=True)
class UnknownRow(Problem):
    """A data source, transform, optimiser or schedule that does not exist.

        minimize ce with addam(lr = 1e-3)      # did you mean `adam`?

    The message lists those that this version has.
    """

    code = "N401"
    span: Span | None
    sort: str
    name: str
    known: tuple[str, ...]

    def describe(self) -> Diagnostic:
        return self.say(f"there is no {self.sort} called `{self.name}`", self.span,
                        notes=[f"there are {listed(self.known)}"],
                        suggestion=did_you_mean(self.name, self.known))


@dataclass(frozen=True)
class UnknownArgument(Problem):
    """An argument that the source, transform, optimiser or schedule does not have.

        sgd(lr = 0.1, momentun = 0.9)          # did you mean `momentum`?
    """

    code = "N402"
    span: Span | None
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

        minimize ce with sgd(momentum = 0.9)   # `lr` has no default: sgd(lr = 0.1, …)
    """

    code = "N403"
    span: Span | None
    of: str
    name: str

    def describe(self) -> Diagnostic:
        return self.say(f"`{self.of}` needs `{self.name}`", self.span,
                        suggestion=f"give it: `{self.name} = …`")


@dataclass(frozen=True)
class TooManyArguments(Problem):
    """More arguments in a row than there are places for.

        cosine(0.1, 0.0, 90)                   # cosine takes `peak` and `floor`

    Some arguments are given by name alone, such as `take` of every data source.
    """

    code = "N404"
    span: Span | None
    of: str
    places: tuple[str, ...]

    def describe(self) -> Diagnostic:
        takes = listed(self.places) if self.places else "no arguments without a name"
        return self.say(f"`{self.of}` takes {takes}, and more were given", self.span)


@dataclass(frozen=True)
class WrongArgument(Problem):
    """An argument of the wrong kind, or outside its range.

        sgd(lr = -0.1)                         # a learning rate is a number of at least 0
        random_crop(pad = 2.5)                 # a whole number
    """

    code = "N405"
    span: Span | None
    of: str
    name: str
    given: str
    expected: str

    def describe(self) -> Diagnostic:
        return self.say(f"`{self.name}` of `{self.of}` must be {self.expected}, not {self.given}",
                        self.span)


@dataclass(frozen=True)
class ArgumentsDisagree(Problem):
    """Arguments that are fine one by one and do not go together.

        sgd(lr = 0.1, nesterov = true)         # Nesterov's step needs a momentum
    """

    code = "N406"
    span: Span | None
    of: str
    reason: str

    def describe(self) -> Diagnostic:
        return self.say(f"the arguments of `{self.of}` do not fit: {self.reason}", self.span)


@dataclass(frozen=True)
class BrokenChain(Problem):
    """A chain of stages that does not make what is needed.

    A feed starts with a field of the data and goes on with transforms; a schedule is one schedule,
    or `warmup` followed by one:

        feed image = image -> random_flip() when training -> normalize(mean = 0.5, std = 0.5)
        lr = warmup(5) -> cosine(0.1)
    """

    code = "N407"
    span: Span | None
    reason: str
    suggestion: str | None = None

    def describe(self) -> Diagnostic:
        return self.say(self.reason, self.span, suggestion=self.suggestion)
