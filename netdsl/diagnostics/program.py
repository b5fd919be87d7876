"""Problems of train programs: losses, parameters, settings, feeds: codes N41x to N44x."""

from __future__ import annotations

from dataclasses import dataclass

from netdsl.diagnostics import Diagnostic, Mark, Problem
from netdsl.diagnostics.names import listed
from netdsl.diagnostics.suggest import did_you_mean
from netdsl.source import Span

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
        return self.say(f"no parameter of the model lies under `{self.pattern}`", self.span,
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


# ------------------------------------------------------------------ feeding a model


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

    def describe(self) -> Diagnostic:
        return self.say(f"the input `{self.name}` is fed twice", self.span)


@dataclass(frozen=True)
class NotFed(Problem):
    """An input that training or validation needs and nothing feeds.

    A field of the data feeds the input of the same name; others are said:

        feed a = image -> random_flip()
    """

    code = "N443"
    span: Span | None
    name: str
    fields: tuple[str, ...]

    def describe(self) -> Diagnostic:
        return self.say(f"nothing feeds the input `{self.name}`", self.span,
                        notes=[f"the data have the fields {listed(self.fields)}"],
                        suggestion=f"name the field: `feed {self.name} = …`")


@dataclass(frozen=True)
class UnknownField(Problem):
    """A field that the data set does not have.

        feed a = imgae -> random_flip()        # did you mean `image`?
    """

    code = "N444"
    span: Span | None
    name: str
    known: tuple[str, ...]

    def describe(self) -> Diagnostic:
        return self.say(f"the data have no field `{self.name}`", self.span,
                        notes=[f"their fields are {listed(self.known)}"],
                        suggestion=did_you_mean(self.name, self.known))


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
class FieldDoesNotFit(Problem):
    """What a feed makes does not have the type of the input it is for.

        input image: f32[B, 1, 28, 28]         # and the data hold images of 8×8

    Nothing is resized or cast behind your back, except that whole numbers become floats.
    """

    code = "N446"
    span: Span | None
    input: str
    type: str
    field: str
    reason: str

    def describe(self) -> Diagnostic:
        return self.say(f"the field `{self.field}` does not fit the input "
                        f"`{self.input}: {self.type}`: {self.reason}", self.span)


def _some(parameters: tuple[str, ...]) -> str:
    """`a`, `b` and 3 more are; for the start of a sentence."""
    shown = listed(parameters[:4])
    more = f" and {len(parameters) - 4} more" if len(parameters) > 4 else ""
    return f"{shown}{more} {'is' if len(parameters) == 1 else 'are'}"
