"""The train program at work: which parameters a step moves (`coverage`), how (`optimizers`,
`schedules`), as one graph (`graph`), one step (`trainer`), many (`loop`), and what came of it
(`evaluate`, `history`, `checkpoints`). Nothing here prints; an `Observer` is told what happens."""

from __future__ import annotations

from netdsl.training.check import check_program
from netdsl.training.evaluate import Evaluation, evaluate
from netdsl.training.history import Epoch, History, Observer
from netdsl.training.loop import fit
from netdsl.training.trainer import Trainer

__all__ = [
    "Epoch", "Evaluation", "History", "Observer", "Trainer", "check_program", "evaluate", "fit",
]
