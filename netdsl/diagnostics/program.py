"""Problems of train programs: losses, parameters, steps, settings: codes N41x to N45x."""

from __future__ import annotations

from dataclasses import dataclass

from netdsl.diagnostics import Diagnostic, Mark, Problem
from netdsl.diagnostics.names import listed
from netdsl.diagnostics.suggest import did_you_mean, nearest
from netdsl.source import Span

ACCURACY, ACCURACIES = "top1", ("acc", "accuracy")  # its name in most files, and elsewhere

# ------------------------------------------------------------------ losses and parameters


@dataclass(frozen=True)
class UnknownLoss(Problem):
    """`minimize` names something that is no loss of the model.

        loss ce = cross_entropy(logits, label)         # in the model
        minimize cross with adam(lr = 1e-3)            # the loss is called `ce`
    """

    code = "N411"
    span: Span | None
    name: str
    known: tuple[str, ...]
    is_metric: bool = False

    def describe(self) -> Diagnostic:
        has = f"its losses are {listed(self.known)}" if self.known else "it has no loss"
        way = did_you_mean(self.name, self.known)
        if self.known and (self.is_metric or way is None and len(self.known) == 1):
            way = f"`minimize {self.known[0]} with …`"
        if self.is_metric:
            return self.say(f"`{self.name}` is a metric, which is measured and not trained on",
                            self.span, notes=[has], suggestion=way)
        return self.say(f"the model has no loss `{self.name}`", self.span, notes=[has],
                        suggestion=way)


@dataclass(frozen=True)
class LossNotScalar(Problem):
    """Only one number can be minimised.

    A loss with an axis left has a value for each row; say how they become one:

        loss mse = mean((y - target) ** 2)
    """

    code = "N412"
    span: Span | None
    name: str
    type: str

    def describe(self) -> Diagnostic:
        return self.say(f"the loss `{self.name}` is {self.type}, not one number", self.span,
                        suggestion=f"take `mean(…)` or `sum(…)` of it: "
                                   f"`loss {self.name} = mean(…)`")


@dataclass(frozen=True)
class NothingToTrain(Problem):
    """A `minimize` that moves no parameter.

    Either the loss depends on none (a `stop_grad` on the way, a model without layers), or all that
    it depends on are frozen or lie outside `over`.
    """

    code = "N413"
    span: Span | None
    loss: str

    def describe(self) -> Diagnostic:
        return self.say(f"minimising `{self.loss}` here moves no parameter", self.span,
                        suggestion="check `over`, `freeze` and `stop_grad`")


@dataclass(frozen=True)
class NothingMinimised(Problem):
    """A train program that minimises nothing.

        train LeNet {
            data digits()  batch 32  epochs 10
            minimize ce with adam(lr = 1e-3)           # this line is needed
        }
    """

    code = "N414"
    span: Span | None

    def describe(self) -> Diagnostic:
        return self.say("this train program has no `minimize`", self.span,
                        suggestion="add `minimize LOSS with adam(lr = 1e-3)`")


@dataclass(frozen=True)
class NotCovered(Problem):
    """Parameters that no `minimize … over` trains and no `freeze` holds.

    Training some parameters and forgetting others is a silent mistake, so each must be said:

        minimize ce over fc with adam(lr = 1e-3)
        freeze rest                                    # or: minimize ce over rest with …
    """

    code = "N421"
    span: Span | None
    parameters: tuple[str, ...]

    def describe(self) -> Diagnostic:
        return self.say(f"{_some(self.parameters)} neither trained nor frozen", self.span,
                        suggestion="add `freeze rest`, or `minimize … over rest with …`")


@dataclass(frozen=True)
class CoveredTwice(Problem):
    """A parameter that two `minimize` of one step train, or that is trained and frozen.

        minimize ce over stage     with sgd(lr = 0.01)
        minimize ce over stage.3   with sgd(lr = 0.1)  # stage.3 lies below stage

    `rest` takes what no other pattern does.
    """

    code = "N422"
    span: Span | None
    parameters: tuple[str, ...]
    first: str
    second: str
    other: Span | None = None

    def describe(self) -> Diagnostic:
        other = None if self.other is None else Mark(self.other, f"by `{self.first}`")
        return self.say(f"{_some(self.parameters)} covered by `{self.first}` and by "
                        f"`{self.second}`", self.span, other,
                        suggestion="name each parameter once; `rest` takes the remainder")


@dataclass(frozen=True)
class MatchesNothing(Problem):
    """A pattern after `over` or `freeze` that no parameter of the model has.

    A pattern is a label path: `stage` covers all that lies below it, `*` is one segment, `rest` the
    remainder. The labels are those of `netdsl summary`.

        freeze sten                                    # did you mean `stem`?
    """

    code = "N423"
    span: Span | None
    pattern: str
    known: tuple[str, ...]
    followed: str | None = None  # by a copy that lies there

    def describe(self) -> Diagnostic:
        if self.followed is not None:
            return self.say(f"`{self.pattern}` is a copy, which follows `{self.followed}` and "
                            "which nothing trains", self.span,
                            suggestion=f"`{self.followed}` is what can be trained; leave "
                                       f"`{self.pattern}` out")
        return self.say(f"no parameter of the model lies under `{self.pattern}`", self.span,
                        suggestion=did_you_mean(self.pattern, self.known))


# ------------------------------------------------------------------ programs and steps


@dataclass(frozen=True)
class ProgramTwice(Problem):
    """Two train programs, or two samplers, of one model that nothing tells apart.

    A file may train one model in several ways; each then has a name, by which the command line
    finds it: `netdsl train birds.net:probe`.

        train probe: Birds { … }
        train full: Birds { … }
    """

    code = "N447"
    span: Span
    word: str
    model: str
    first: Span

    def describe(self) -> Diagnostic:
        way = f"name them: `train first: {self.model} {{ … }}`" if self.word == "train" else None
        return self.say(f"`{self.word} {self.model}` stands here twice", Mark(self.span, "again"),
                        Mark(self.first, "first here"), suggestion=way)


@dataclass(frozen=True)
class MinimizeBesideSteps(Problem):
    """A `minimize` outside of the steps of its program.

    Steps run in the order of the file, and a `minimize` alone is a step of its own, whose place
    among the others nobody could tell. Give it a step too:

        step D { minimize d over D with adam(lr = 2e-4) }
        step G { minimize g over G with adam(lr = 2e-4) }
    """

    code = "N459"
    span: Span
    step: Span

    def describe(self) -> Diagnostic:
        return self.say("this `minimize` stands beside steps and belongs to none", self.span,
                        Mark(self.step, "a step"), suggestion="`step NAME { minimize … }`")


@dataclass(frozen=True)
class AmbiguousOverride(Problem):
    """`--set` gives an argument that several optimisers have with different values.

    Giving all of them the same would undo what the program says by the difference. Name the one
    that is meant, by its step, its loss or its pattern of `over`:

        netdsl train gan.net --set D.lr=1e-4
        netdsl train birds.net:full --set stage.3.lr=1e-3
    """

    code = "N448"
    span: Span
    name: str
    addresses: tuple[str, ...]
    places: tuple[Span | None, ...]

    def describe(self) -> Diagnostic:
        marks = [Mark(span, f"`{address}.{self.name}`")
                 for span, address in zip(self.places, self.addresses) if span is not None]
        return self.say(f"several optimisers have a `{self.name}`, and they differ", self.span,
                        *marks[:4], suggestion=f"say which: `--set {self.addresses[0]}."
                                               f"{self.name}={self.span.text}`")


# ------------------------------------------------------------------ settings


@dataclass(frozen=True)
class UnknownSetting(Problem):
    """An entry of a train program that does not exist.

        epoch 10                                       # did you mean `epochs`?
    """

    code = "N431"
    span: Span | None
    name: str
    known: tuple[str, ...]
    arguments: tuple[str, ...] = ()  # of optimisers

    def describe(self) -> Diagnostic:
        meant = nearest(self.name, (*self.known, *self.arguments))
        way = None
        if meant == "minimize":
            way = "write `minimize LOSS with adam(lr = 1e-3)`"
        elif meant in self.arguments:
            way = f"it belongs to the optimiser: `minimize LOSS with sgd({meant} = …)`"
        return self.say(f"a train program has no entry `{self.name}`", self.span,
                        notes=[f"its entries are {listed(self.known)}"],
                        suggestion=way or did_you_mean(self.name, self.known))


@dataclass(frozen=True)
class NotYetTrained(Problem):
    """Part of the language that this version checks and does not carry out yet.

    The file is right as far as it can be checked; leaving the part out without a word would train
    something else. `netdsl check` accepts it, `netdsl train` does not begin.
    """

    code = "N432"
    span: Span | None
    what: str

    def describe(self) -> Diagnostic:
        return self.say(f"{self.what}: not yet carried out by this version of netdsl", self.span)


@dataclass(frozen=True)
class WrongSetting(Problem):
    """A setting with a value that it cannot have.

        batch 2.5                                      # a whole number of at least 1
        clip "much"                                    # a number above 0

    `netdsl explain batch` says what each setting takes.
    """

    code = "N433"
    span: Span | None
    name: str
    given: str
    expected: str

    def describe(self) -> Diagnostic:
        return self.say(f"`{self.name}` must be {self.expected}, not {self.given}", self.span)


@dataclass(frozen=True)
class UnknownFigure(Problem):
    """A setting names a figure that the run does not have.

    A run has the model's losses and metrics over the validation rows, called `val.NAME`:

        stop early(val.top1, patience = 10)
    """

    code = "N449"
    span: Span | None
    name: str
    known: tuple[str, ...]

    def describe(self) -> Diagnostic:
        figures = {name.removeprefix("val."): name for name in self.known}
        short = self.name.removeprefix("val.")
        found = nearest(ACCURACY if short in ACCURACIES else short, figures)
        return self.say(f"the run has no figure `{self.name}`", self.span,
                        notes=[f"it has {listed(self.known)}"],
                        suggestion=f"did you mean `{figures[found]}`?" if found else None)


@dataclass(frozen=True)
class UnknownDirection(Problem):
    """A program goes by a metric of which nobody knows which way is better.

    A loss is better when it is smaller, a share of rows such as an accuracy when it is larger. Of
    any other metric the program says it:

        stop early(val.psnr, patience = 10, better = larger)
    """

    code = "N467"
    span: Span | None
    name: str

    def describe(self) -> Diagnostic:
        return self.say(f"is `{self.name}` better when it is larger, or smaller?", self.span,
                        suggestion="add `better = larger` or `better = smaller`")


@dataclass(frozen=True)
class UnknownRun(Problem):
    """`from_run` names no train program that stands above this one.

    Programs run in the order of the file, so one begins with the weights of an earlier one, which
    has a name:

        train probe: Birds { … }
        train full: Birds { weights from_run(probe) … }
    """

    code = "N450"
    span: Span | None
    name: str
    known: tuple[str, ...]

    def describe(self) -> Diagnostic:
        has = f"there are {listed(self.known)}" if self.known else "none above this one has a name"
        return self.say(f"no train program above this one is called `{self.name}`", self.span,
                        notes=[has], suggestion=did_you_mean(self.name, self.known))


@dataclass(frozen=True)
class BatchNotDivisible(Problem):
    """`accumulate` does not divide the batch.

    The passes of a step take equal parts of its batch, so that their mean is the mean over it:

        batch 64  accumulate 16                        # 16 passes of 4 rows
    """

    code = "N452"
    span: Span | None
    batch: int
    passes: int
    place: Span | None

    def describe(self) -> Diagnostic:
        place = None if self.place is None else Mark(self.place, "the rows of a step")
        nearest = max(self.batch // self.passes, 1) * self.passes
        return self.say(f"{self.passes} passes cannot share a batch of {self.batch} equally",
                        self.span, place, suggestion=f"`batch {nearest}`")


@dataclass(frozen=True)
class UnknownState(Problem):
    """`reset` names something that is no state of the model.

        state hc: f32[2, layers, B, d] = zeros()       # in the model
        reset [hc]                                     # in the train program
    """

    code = "N454"
    span: Span | None
    name: str
    known: tuple[str, ...]

    def describe(self) -> Diagnostic:
        has = f"its states are {listed(self.known)}" if self.known else "it has no state"
        return self.say(f"the model has no state `{self.name}`", self.span, notes=[has],
                        suggestion=did_you_mean(self.name, self.known))


def _some(parameters: tuple[str, ...]) -> str:
    """`a`, `b` and 3 more are; for the start of a sentence."""
    shown = listed(parameters[:4])
    more = f" and {len(parameters) - 4} more" if len(parameters) > 4 else ""
    return f"{shown}{more} {'is' if len(parameters) == 1 else 'are'}"
