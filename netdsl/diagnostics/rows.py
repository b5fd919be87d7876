"""Problems of recipes, which name registered rows (sources, transforms, optimisers, schedules,
samplers), and of what their arguments are: codes N40x and N440. Arguments that do not exist or are
missing have the codes of every call, N202 to N204."""

from __future__ import annotations

from dataclasses import dataclass

from netdsl.diagnostics import Diagnostic, Problem
from netdsl.diagnostics.evaluation import TYPICAL
from netdsl.diagnostics.names import listed
from netdsl.diagnostics.suggest import did_you_mean
from netdsl.source import Span


@dataclass(frozen=True)
class UnknownRow(Problem):
    """A data source, transform, optimiser, schedule or sampler that does not exist.

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
class BareWord(Problem):
    """A row is named without its parentheses.

        minimize ce with adam                  # adam(lr = 1e-3)
        data digits                            # digits()

    Only a stage of a pipeline stands without: `image -> random_flip`.
    """

    code = "N440"
    span: Span | None
    sort: str
    name: str
    needed: tuple[str, ...]

    def describe(self) -> Diagnostic:
        arguments = ", ".join(f"{name} = {TYPICAL.get(name, '…')}" for name in self.needed)
        return self.say(f"the {self.sort} `{self.name}` stands without its parentheses", self.span,
                        suggestion=f"`{self.name}({arguments})`")


@dataclass(frozen=True)
class WrongArgument(Problem):
    """An argument of the wrong kind, or outside its range.

        sgd(lr = -0.1)                         # a learning rate is a number of at least 0
        random_crop(pad = 2.5)                 # a whole number of pixels
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
