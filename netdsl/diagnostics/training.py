"""Problems of training under way: codes N45x and N46x, and N479."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import PurePath

from netdsl.diagnostics import Diagnostic, Mark, Problem
from netdsl.source import Span


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
class WrongSeed(Problem):
    """A seed that is negative or too large.

    Random numbers are drawn from a key of 64 bits, one half of whose values are seeds.
    """

    code = "N453"
    seed: int
    limit: int

    def describe(self) -> Diagnostic:
        return self.say("the seed must be a whole number of at least 0 and below "
                        f"{self.limit:,}")


@dataclass(frozen=True)
class Culprit:
    """What first held NaN or an infinity: an operation with the range of its `operands`, the place
    that asked for it and the layer it is in, or an input or variable, which has none of these."""

    what: str
    made: str  # NaN, inf or -inf
    span: Span | None
    path: str
    operands: str


@dataclass(frozen=True)
class LossNotFinite(Problem):
    """The loss became NaN or infinite, and training stopped before the weights moved.

    The message names the first operation that made such a number out of finite ones. The usual
    causes: a learning rate that is too high (`clip 1.0` bounds its steps), a logarithm or root of
    0, a division by 0, `exp` of a large number, data that hold NaN. Where a weight held NaN
    already, it was the gradient of the step before. What was saved after the last whole epoch is
    sound.
    """

    code = "N461"
    span: Span | None
    loss: str
    value: float
    where: str
    culprit: Culprit | None = None
    begins: bool = False  # no step has moved the weights that were given

    def describe(self) -> Diagnostic:
        told, first = f"the loss `{self.loss}` became {self.value} in {self.where}", self.culprit
        way = "a lower learning rate, or `clip 1.0`"
        if self.begins:  # no learning rate has acted yet
            way = "look at the data, the labels and the first weights: no step has moved these yet"
        if first is None:
            return self.say(told, self.span, suggestion=way)
        if first.span is None and not first.operands:
            if first.what.startswith("the variable") and self.begins:
                way = "begin with other weights: these held it before the first step"
            if first.what.startswith("the input"):
                way = "look at the data: `netdsl evaluate` reads them too"
            return self.say(told, self.span, notes=[f"{first.what} holds {first.made}"],
                            suggestion=way)
        layer = f" in {first.path}" if first.path else ""
        note = f"{first.what}{layer} was the first to make {first.made}, of {first.operands}"
        mark = None if first.span is None else Mark(first.span, f"{first.made} began here")
        way = "keep its operands in range: data, labels and first weights alone led to them"
        if not self.begins:
            way = "a lower learning rate, or keep its operands in range"
        return self.say(told, self.span, mark, notes=[note], suggestion=way)


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
    folder: str | None

    def describe(self) -> Diagnostic:
        where = "no folder is named" if self.folder is None else f"{self.folder} has no checkpoint"
        return self.say(f"there is nothing to resume: {where}",
                        suggestion="check `--out`, or train without `--resume`")


@dataclass(frozen=True)
class AnotherProgram(Problem):
    """The checkpoint was made by a program or a model that differs from this one.

    Going on would give weights that neither program would. Undo the change, or begin anew from the
    weights: `--init DIR/weights.safetensors --out OTHER` without `--resume`. The number of epochs
    may change.
    """

    code = "N464"
    file: str
    differences: tuple[tuple[str, str, str], ...]  # what, then, now

    def describe(self) -> Diagnostic:
        notes = [f"{what}: {then} then, {now} now" for what, then, now in self.differences]
        weights = PurePath(self.file).with_name("weights.safetensors")
        return self.say(f"{self.file} belongs to a training that differs from this one",
                        notes=notes, suggestion=f"undo the change, or use `--init {weights}` in "
                                                "place of `--resume` to begin anew from its "
                                                "weights, in another folder")


@dataclass(frozen=True)
class NotACheckpoint(Problem):
    """A file that does not hold what resuming needs, or holds it damaged.

    `checkpoint.safetensors` holds optimiser memory, epoch and seed besides the weights, in a
    format that another version of netdsl may have written differently.
    """

    code = "N465"
    file: str
    format: str | None = None  # where it is one of another version

    def describe(self) -> Diagnostic:
        notes = [] if self.format is None else [f"its format is {self.format[:80]!a}"]
        return self.say(f"{self.file} is no checkpoint that training can go on from", notes=notes,
                        suggestion="to begin anew from its weights: `--init` without `--resume`")


@dataclass(frozen=True)
class FolderTaken(Problem):
    """The folder given to train into holds a training already.

    Its weights would be replaced after the first epoch. Go on with that training, choose another
    folder, or say that it may go:

        netdsl train FILE --out DIR --resume
        netdsl train FILE --out DIR --overwrite
    """

    code = "N466"
    folder: str

    def describe(self) -> Diagnostic:
        return self.say(f"{self.folder} holds a training already",
                        suggestion="go on with it (`--resume`), choose another folder, or replace "
                                   "it (`--overwrite`)")


@dataclass(frozen=True)
class FolderInUse(Problem):
    """Another training writes into the folder at this moment.

    Two in one folder would replace each other's weights and checkpoint. Wait for the other one,
    or stop it with Ctrl-C, or train elsewhere:

        netdsl train FILE --out OTHER
    """

    code = "N468"
    folder: str

    def describe(self) -> Diagnostic:
        return self.say(f"another training is under way in {self.folder}",
                        suggestion="wait until it has ended, or choose another folder: `--out`")


@dataclass(frozen=True)
class RateIsZero(Problem):
    """A learning rate that is 0 throughout: its steps move no parameter.

    The statistics of batch norms and states move all the same, so it can be meant. `freeze` says
    so more clearly.
    """

    code = "N469"
    severity = "note"
    span: Span | None
    loss: str

    def describe(self) -> Diagnostic:
        return self.say(f"minimising `{self.loss}` moves nothing: its learning rate is 0",
                        self.span, suggestion="a rate above 0, such as `--set lr=0.01`")


@dataclass(frozen=True)
class OnlyWarmup(Problem):
    """A warmup as long as the whole training: the schedule behind it never begins.

    The last step reaches the rate that the schedule begins with, and there the training ends. Short
    runs want short warmups, which may be parts of an epoch:

        sgd(lr = warmup(0.5) -> cosine(0.1))
    """

    code = "N479"
    severity = "note"
    span: Span | None
    warmup: float  # epochs, as `epochs` are
    epochs: int

    def describe(self) -> Diagnostic:
        run = "1 epoch" if self.epochs == 1 else f"{self.epochs:,} epochs"
        return self.say(f"all of the training is warm-up: `warmup({self.warmup:g})` in a run of "
                        f"{run}", self.span,
                        suggestion=f"a shorter one, such as `warmup({self.epochs / 10:g})`, or "
                                   "more epochs")


@dataclass(frozen=True)
class FreeState(Problem):
    """A state has a free dimension, and nothing says yet how large it is.

    A state that holds something for each row of a batch fixes the batch. It is made when a training
    with that batch begins, which this version does not do yet.
    """

    code = "N460"
    span: Span | None
    name: str
    type: str

    def describe(self) -> Diagnostic:
        return self.say(f"the state `{self.name}` is {self.type}: its size is not known before the "
                        "batch is", self.span)
