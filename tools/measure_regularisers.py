#!/usr/bin/env python3
"""What dropout, weight decay and augmentation do: without them, each alone, and all three.

    python3 tools/measure_regularisers.py data/fashion-mnist
    python3 tools/measure_regularisers.py data/fashion-mnist --json > runs.jsonl

Trains models/vgg_small.net on a tenth of Fashion-MNIST, from several seeds each way, and measures
it on all 10,000 test images, and once more on the images it was trained on, undistorted and without
dropout. It is the weights at the end that count, not the best ones: the test images choose nothing.
The table has means and, behind ±, standard deviations over the seeds; `--json` prints a line for
each run instead. Fifteen runs, one on each processor at a time.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import asdict, dataclass, replace
from multiprocessing import get_context
from statistics import mean, stdev
from time import perf_counter
from typing import TYPE_CHECKING

from environment import PROJECT, enter_environment

if TYPE_CHECKING:
    from netdsl.data.dataset import Dataset
    from netdsl.model import Model

NETWORK = PROJECT / "models" / "vgg_small.net"
NO_DROPOUT, NO_DECAY = {"p": "0"}, {"weight_decay": "0"}
PLAIN, AUGMENTED = "plain", "VggSmall"  # its train programs
WAYS = {  # what is left out of the network as it stands: program, attributes, settings
    "none of them": (PLAIN, NO_DROPOUT, NO_DECAY),
    "dropout": (PLAIN, {}, NO_DECAY),
    "weight decay": (PLAIN, NO_DROPOUT, {}),
    "augmentation": (AUGMENTED, NO_DROPOUT, NO_DECAY),
    "all three": (AUGMENTED, {}, {}),
}
COLUMNS = {"test_top1": "{:.2%}", "test_loss": "{:.3f}", "training_loss": "{:.3f}"}


@dataclass(frozen=True)
class Task:
    """One training: a key of WAYS, and what it is done with."""

    way: str
    seed: int
    folder: str
    fraction: float
    epochs: int


@dataclass(frozen=True)
class Measured:
    """What came of it: shares of images and cross entropies after the last epoch."""

    way: str
    seed: int
    test_top1: float
    test_loss: float
    training_top1: float
    training_loss: float
    seconds: float


def main() -> int:
    from netdsl.diagnostics import Refused

    wanted = arguments()
    try:
        images(wanted.folder, wanted.fraction)
    except Refused as refused:
        sys.exit(str(refused))
    ways = [wanted.only] if wanted.only else list(WAYS)
    tasks = [
        Task(way, seed, wanted.folder, wanted.fraction, wanted.epochs)
        for seed in range(wanted.seeds) for way in ways
    ]
    runs = all_of(tasks)
    if wanted.json:
        for run in runs:
            print(json.dumps(asdict(run)))
    else:
        print(table(ways, runs))
    return 0


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", help="where Fashion-MNIST's four files lie")
    parser.add_argument("--fraction", type=float, default=0.1, metavar="F",
                        help="the part of the training images (default: 0.1, which is 6,000)")
    parser.add_argument("--epochs", type=int, default=20, metavar="N", help="default: 20")
    parser.add_argument("--seeds", type=int, default=3, metavar="N",
                        help="runs of each way (default: 3)")
    parser.add_argument("--only", choices=WAYS, metavar="WAY",
                        help="one way alone: " + ", ".join(WAYS))
    parser.add_argument("--json", action="store_true", help="a line of JSON for each run")
    return parser.parse_args()


def all_of(tasks: Sequence[Task]) -> list[Measured]:
    """The tasks done, in their order; on standard error a line as each ends."""
    for library in ("OPENBLAS", "OMP", "MKL"):  # a processor each is best for them all
        os.environ[f"{library}_NUM_THREADS"] = "1"
    began, done = perf_counter(), {}
    count = min(os.cpu_count() or 1, len(tasks))
    print(f"{len(tasks)} runs, {count} at a time", file=sys.stderr, flush=True)
    with ProcessPoolExecutor(count, mp_context=get_context("spawn")) as pool:
        futures = {pool.submit(measure, task): task for task in tasks}
        try:
            for future in as_completed(futures):
                run = done[futures[future]] = future.result()
                left = (perf_counter() - began) / len(done) * (len(tasks) - len(done))
                print(f"{len(done):3}/{len(tasks)}  {run.way}, seed {run.seed}: "
                      f"{run.test_top1:.2%} in {run.seconds:.0f} s, about {left / 60:.0f} min left",
                      file=sys.stderr, flush=True)
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)  # what is under way ends, no more begins
            raise
    return [done[task] for task in tasks]


def measure(task: Task) -> Measured:
    """Train once, in the process of a worker, and look at what came of it."""
    from netdsl.data.batches import Batches
    from netdsl.training.evaluate import evaluate

    began = perf_counter()
    model, data = network(task.way, task.epochs), images(task.folder, task.fraction)
    history = model.train(dataset=replace(data, validate={}), seed=task.seed)

    def figures(split: Mapping) -> tuple[float, float]:
        measured = Batches(model.graph, replace(data, validate=split), 500,
                           feeds=model.program.feeds).validation()
        found = evaluate(model.graph, history.weights, measured)
        return found.metrics["top1"], found.losses["ce"]

    return Measured(task.way, task.seed, *figures(data.validate), *figures(data.train),
                    perf_counter() - began)


def network(way: str, epochs: int) -> Model:
    from netdsl.compiler import build, open_file
    from netdsl.diagnostics import Report
    from netdsl.model import Model

    program, attributes, settings = WAYS[way]
    report = Report()
    module = open_file(NETWORK, report)
    settings = {**settings, "epochs": str(epochs)}
    return Model(build(module, module.models["VggSmall"], report, attributes, settings, program))


def images(folder: str, fraction: float) -> Dataset:
    """Fashion-MNIST with a part of its training images, always the same. Raises Refused."""
    from netdsl.data.sources import load_source
    from netdsl.ir.program import Recipe

    return load_source(Recipe("fashion_mnist", (folder,), {"fraction": fraction}))


def table(ways: Iterable[str], runs: Sequence[Measured]) -> str:
    rows = [("", *(name.replace("_", " ") for name in COLUMNS))]
    for way in ways:
        own = [asdict(run) for run in runs if run.way == way]
        rows.append((way, *(spread(own, name, form) for name, form in COLUMNS.items())))
    widths = [max(map(len, column)) for column in zip(*rows)]
    return "\n".join(
        "   ".join([row[0].ljust(widths[0]), *map(str.rjust, row[1:], widths[1:])]) for row in rows
    )


def spread(runs: Sequence[Mapping], name: str, form: str) -> str:
    """The mean of a figure and its standard deviation, where there are two runs or more."""
    values = [run[name] for run in runs]
    deviation = f" ± {form.format(stdev(values))}" if len(values) > 1 else ""
    return form.format(mean(values)) + deviation


if __name__ == "__main__":
    enter_environment()
    sys.exit(main())
