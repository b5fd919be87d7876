"""How a training is shown while it runs: a line for each epoch, and on terminals a bar below."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from time import perf_counter
from typing import TYPE_CHECKING

from netdsl.cli.terminal import columns, show, uses_color
from netdsl.training.history import Epoch, Observer, Plan

if TYPE_CHECKING:
    from rich.progress import Progress


@contextmanager
def progress() -> Iterator[Observer]:
    """An observer for `netdsl.training.fit` that shows what happens on the standard output."""
    if not sys.stdout.isatty():
        yield Lines()
        return
    with bar() as drawn:
        yield Bar(drawn)


class Lines(Observer):
    """A line before the first epoch and one for each."""

    def on_start(self, plan: Plan) -> None:
        self.plan = plan
        self.write(f"training on {plan.training_rows:,} examples, {plan.epochs} epochs of "
                   f"{plan.steps_per_epoch} steps; validating on {plan.validation_rows:,}")
        if plan.done:
            self.write(f"going on after epoch {plan.done}")

    def on_epoch(self, epoch: Epoch, is_best: bool) -> None:
        self.write(epoch_line(epoch, self.plan.epochs, is_best))

    def write(self, line: str) -> None:
        show(line)
        sys.stdout.flush()


class Bar(Lines):
    """The same lines above a bar with the loss, the speed and the time left."""

    def __init__(self, drawn: Progress):
        self.drawn = drawn
        self.task = drawn.add_task("", loss="", speed="")

    def on_start(self, plan: Plan) -> None:
        super().on_start(plan)
        self.batch = plan.training_rows // plan.steps_per_epoch
        self.began, self.seen = perf_counter(), 0

    def on_batch(self, epoch: int, batch: int, losses: Mapping[str, float]) -> None:
        steps = self.plan.steps_per_epoch
        if batch == 1:
            self.drawn.reset(self.task, total=steps, description=f"epoch {epoch}/{self.plan.epochs}")
            self.began = perf_counter()
        speed = batch * self.batch / max(perf_counter() - self.began, 1e-9)
        shown = "  ".join(f"{name} {value:.4f}" for name, value in losses.items())
        self.drawn.update(self.task, completed=batch, loss=shown,
                          speed=f"{speed:,.0f} examples/s")

    def write(self, line: str) -> None:
        self.drawn.console.print(line, markup=False, highlight=False)


def bar() -> Progress:
    """Rich's bar, gone when the training is over."""
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

    console = Console(width=columns(sys.stdout), no_color=not uses_color(sys.stdout))
    plain = {"markup": False}
    return Progress(
        TextColumn("{task.description}", **plain), BarColumn(bar_width=30),
        TextColumn("{task.completed}/{task.total}", **plain),
        TextColumn("{task.fields[loss]}", **plain), TextColumn("{task.fields[speed]}", **plain),
        TimeRemainingColumn(), console=console, transient=True,
    )


def epoch_line(epoch: Epoch, epochs: int, is_best: bool) -> str:
    """` 3/15  ce 0.1234  validation: ce 0.0987  top1 0.9718  1.2 s  best`."""
    number = f"{epoch.number:{len(str(epochs))}}/{epochs}"
    parts = [number, figures(epoch.losses)]
    if epoch.validation:
        parts.append(f"validation: {figures(epoch.validation)}")
    parts.append(f"{epoch.seconds:.1f} s")
    return "   ".join([*parts, *(["best"] if is_best else [])])


def figures(named: Mapping[str, float]) -> str:
    return "  ".join(f"{name} {value:.4f}" for name, value in named.items())
