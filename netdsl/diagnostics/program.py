"""Problems of train programs and of training itself: codes N4xx."""

from __future__ import annotations

from dataclasses import dataclass

from netdsl.diagnostics import Diagnostic, Mark, Problem
from netdsl.diagnostics.names import listed
from netdsl.diagnostics.suggest import did_you_mean
from netdsl.source import Span

# ------------------------------------------------------------------ rows and their arguments


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

    def describe(self) -> Diagnostic:
        has = f"its losses are {listed(self.known)}" if self.known else "it has no loss"
        return self.say(f"the model has no loss `{self.name}`", self.span, notes=[has],
                        suggestion=did_you_mean(self.name, self.known))


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

    def describe(self) -> Diagnostic:
        return self.say(f"no parameter that is trained lies under `{self.pattern}`", self.span,
                        suggestion=did_you_mean(self.pattern, self.known))


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

    def describe(self) -> Diagnostic:
        return self.say(f"a train program has no entry `{self.name}`", self.span,
                        notes=[f"its entries are {listed(self.known)}"],
                        suggestion=did_you_mean(self.name, self.known))


@dataclass(frozen=True)
class NotYetTrained(Problem):
    """Part of the language that this version checks and cannot train.

    The file may well be right; the training loop of this version does not know the entry, and
    leaving it out without a word would train something else.
    """

    code = "N432"
    span: Span | None
    what: str

    def describe(self) -> Diagnostic:
        return self.say(f"{self.what}: not yet trained by this version of netdsl", self.span)


@dataclass(frozen=True)
class WrongCount(Problem):
    """A batch size or a number of epochs that is not a whole number of at least 1."""

    code = "N433"
    span: Span | None
    name: str
    given: str

    def describe(self) -> Diagnostic:
        return self.say(f"`{self.name}` must be a whole number of at least 1, not {self.given}",
                        self.span)


# ------------------------------------------------------------------ running


@dataclass(frozen=True)
class NoData(Problem):
    """Training or evaluation without data.

        data digits()                                  # in the train program
        netdsl train FILE --data fashion_mnist:DIR     # or on the command line
    """

    code = "N451"
    span: Span | None

    def describe(self) -> Diagnostic:
        return self.say("there is no data to work on", self.span,
                        suggestion="add `data digits()` to the train program, or give `--data`")


@dataclass(frozen=True)
class CountsEpochs(Problem):
    """A schedule that depends on the length of the training, which is not known.

    `cosine`, `warmup` and the like count epochs. A trainer that is stepped by hand must be told
    how many steps an epoch has: `trainer(…, steps_per_epoch = 100)`.
    """

    code = "N452"
    span: Span | None

    def describe(self) -> Diagnostic:
        return self.say("this learning rate follows epochs, and how many steps an epoch has is "
                        "not known", self.span,
                        suggestion="give `steps_per_epoch`, or use a constant learning rate")


@dataclass(frozen=True)
class LossNotFinite(Problem):
    """The loss became NaN or infinite, and training stopped.

    From here on every weight would be NaN. The usual causes: a learning rate that is too high, a
    logarithm or root of 0, a division by 0, data that hold NaN. What was saved after the last whole
    epoch is sound.
    """

    code = "N461"
    span: Span | None
    loss: str
    value: float
    epoch: int
    batch: int

    def describe(self) -> Diagnostic:
        return self.say(f"the loss `{self.loss}` became {self.value} in batch {self.batch} of "
                        f"epoch {self.epoch}", self.span,
                        suggestion="try a lower learning rate")


@dataclass(frozen=True)
class Interrupted(Problem):
    """Training was stopped by hand.

    Weights and everything needed to go on were saved after the last whole epoch; `--resume` goes
    on from there as if nothing had happened.
    """

    code = "N462"
    severity = "note"
    epochs: int
    out: str | None

    def describe(self) -> Diagnostic:
        after = f"training was stopped after {self.epochs} whole epochs"
        if self.out is None:
            return self.say(after, suggestion="give `--out DIR` to be able to go on another time")
        if not self.epochs:
            return self.say(f"{after}: nothing was saved")
        return self.say(f"{after}; they are saved in {self.out}",
                        suggestion=f"go on with the same command and `--out {self.out} --resume`")


@dataclass(frozen=True)
class NothingToResume(Problem):
    """`--resume` without a checkpoint to go on from."""

    code = "N463"
    folder: str

    def describe(self) -> Diagnostic:
        return self.say(f"there is no checkpoint in {self.folder}",
                        suggestion="check `--out`, or train without `--resume`")


@dataclass(frozen=True)
class AnotherProgram(Problem):
    """The checkpoint was made by a program or a model that differs from this one.

    Going on would give weights that neither program would. Undo the change, or begin anew from the
    weights: `--init DIR/weights.safetensors` without `--resume`. The number of epochs may change.
    """

    code = "N464"
    file: str
    differences: tuple[tuple[str, str, str], ...]  # what, then, now

    def describe(self) -> Diagnostic:
        notes = [f"{what}: {then} then, {now} now" for what, then, now in self.differences]
        return self.say(f"{self.file} belongs to a training that differs from this one",
                        notes=notes, suggestion="undo the change, or use `--init` in place of "
                                                "`--resume` to begin anew from its weights")


@dataclass(frozen=True)
class NotACheckpoint(Problem):
    """A file that holds weights and not the rest of what resuming needs.

    `checkpoint.safetensors` holds optimiser memory, epoch and seed besides the weights.
    """

    code = "N465"
    file: str

    def describe(self) -> Diagnostic:
        return self.say(f"{self.file} is no checkpoint that training can go on from",
                        suggestion="to begin anew from its weights: `--init` without `--resume`")


def _some(parameters: tuple[str, ...]) -> str:
    """`a`, `b` and 3 more are; for the start of a sentence."""
    shown = listed(parameters[:4])
    more = f" and {len(parameters) - 4} more" if len(parameters) > 4 else ""
    return f"{shown}{more} {'is' if len(parameters) == 1 else 'are'}"
