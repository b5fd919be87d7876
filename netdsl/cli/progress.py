"""How a training is shown while it runs: a line for each epoch, and on terminals a bar below."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import timedelta
from time import perf_counter
from typing import TYPE_CHECKING

from netdsl.cli.terminal import columns, show, uses_color
from netdsl.training.history import Epoch, Observer, Plan

if TYPE_CHECKING:
    from rich.progress import Progress


@contextmanager
def progress() -> Iterator[Observer]:
    """An observer for `netdsl.training.loop.fit` that shows what happens on the standard output."""
    if not sys.stdout.isatty():
        yield Lines()
        return
    with bar() as drawn:
        yield Bar(drawn)


class Lines(Observer):
    """A line before the first epoch and one for each."""

    def on_start(self, plan: Plan) -> None:
        self.plan = plan
        if plan.done >= plan.epochs:
            self.write(f"nothing is left to do: {epochs_of(plan.done)} done before, "
                       f"{plan.epochs:,} asked for")
            return
        held = plan.validation_rows
        validating = f", validating on {held:,}" if held else "; no validation rows"
        self.write(f"training on {plan.training_rows:,} examples for {epochs_of(plan.epochs)} of "
                   f"{plan.steps_per_epoch:,} steps{validating}")
        if plan.done:
            self.write(f"going on after epoch {plan.done}")

    def on_epoch(self, epoch: Epoch, is_best: bool) -> None:
        self.write(epoch_line(epoch, self.plan, is_best))

    def write(self, line: str) -> None:
        show(line)
        sys.stdout.flush()


class Bar(Lines):
    """The same lines above a bar: losses and speed of the batch, time left of the training."""

    def __init__(self, drawn: Progress):
        self.drawn = drawn
        self.task = drawn.add_task(
            "", visible=False, count="", figures="", speed="", left="")

    def on_read(self, data: str) -> None:
        self.drawn.reset(self.task, total=None, visible=True, description=f"reading {data}")

    def on_start(self, plan: Plan) -> None:
        self.drawn.update(self.task, visible=False)
        super().on_start(plan)
        self.batch_size = plan.training_rows // plan.steps_per_epoch
        self.began = perf_counter()

    def on_batch(self, epoch: int, batch: int, losses: Mapping[str, float]) -> None:
        plan, now = self.plan, perf_counter()
        if batch == 1:
            self.epoch_began = now
            self.drawn.reset(self.task, total=plan.steps_per_epoch, visible=True,
                             description=f"epoch {epoch}/{plan.epochs}")
        speed = (batch - 1) * self.batch_size / max(now - self.epoch_began, 1e-9)
        made = (epoch - 1 - plan.done) * plan.steps_per_epoch + batch
        remaining = (plan.epochs - plan.done) * plan.steps_per_epoch - made
        left = timedelta(seconds=round((now - self.began) / made * remaining))
        self.drawn.update(
            self.task, completed=batch, count=f"{batch}/{plan.steps_per_epoch}",
            figures=figures(losses), left=f"{left} left",
            speed=f"{speed:,.0f} examples/s" if batch > 1 else "",
        )

    def write(self, line: str) -> None:
        self.drawn.console.print(line, markup=False, highlight=False, soft_wrap=True)


def bar() -> Progress:
    """Rich's bar, gone when the training is over."""
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn

    console = Console(width=columns(sys.stdout), no_color=not uses_color(sys.stdout))
    texts = ("{task.fields[count]}", "{task.fields[figures]}", "{task.fields[speed]}",
             "{task.fields[left]}")
    return Progress(
        TextColumn("{task.description}", markup=False), BarColumn(bar_width=30),
        *(TextColumn(text, markup=False) for text in texts), console=console, transient=True,
    )


def epoch_line(epoch: Epoch, plan: Plan, is_best: bool) -> str:
    """` 3/15  ce 0.1234  validation: ce 0.0987  top1 0.9718  lr 0.05  1.2 s  best`; the learning
    rate only where it follows a schedule."""
    number = f"{epoch.number:{len(str(plan.epochs))}}/{plan.epochs}"
    parts = [number, figures(epoch.losses)]
    if epoch.validation:
        parts.append(f"validation: {figures(epoch.validation)}")
    rates = (f"{name} {rate:.3g}" for name, rate in epoch.rates.items()
             if name in plan.scheduled and name.split(".")[-1] == "lr")
    parts += [rate for rate in ["  ".join(rates)] if rate]
    parts.append(f"{epoch.seconds:.1f} s")
    return "   ".join([*parts, *(["best"] if is_best else [])])


def epochs_of(count: int) -> str:
    return "1 epoch" if count == 1 else f"{count:,} epochs"


def figures(named: Mapping[str, float]) -> str:
    return "  ".join(f"{name} {value:.4f}" for name, value in named.items())
