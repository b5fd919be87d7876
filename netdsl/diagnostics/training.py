"""Problems of training under way: codes N45x and N46x."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import PurePath

from netdsl.diagnostics import Diagnostic, Problem
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
    """A file that holds weights and not the rest of what resuming needs.

    `checkpoint.safetensors` holds optimiser memory, epoch and seed besides the weights.
    """

    code = "N465"
    file: str

    def describe(self) -> Diagnostic:
        return self.say(f"{self.file} is no checkpoint that training can go on from",
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
