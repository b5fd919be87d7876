"""tools/measure_regularisers.py: what each of its ways leaves out, its table, and one short run."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from netdsl.model import Model

TOOLS = Path(__file__).parents[2] / "tools"


@pytest.fixture(scope="module")
def tool():
    sys.path.insert(0, str(TOOLS))
    try:
        import measure_regularisers
    finally:
        sys.path.remove(str(TOOLS))
    return measure_regularisers


def means_against_overfitting(model: Model) -> set[str]:
    (step,) = model.program.steps
    (minimized,) = step.minimize
    steps = {stage.recipe.name for feed in model.program.feeds for stage in feed.value.stages}
    found = {
        "dropout": any(node.op.name == "dropout" for node in model.graph.nodes),
        "weight decay": minimized.optimizer.keywords["weight_decay"] > 0,
        "augmentation": {"random_crop", "random_flip"} <= steps,
    }
    return {name for name, there in found.items() if there}


def test_the_ways_are_what_they_are_called(tool):
    built = {way: tool.network(way, epochs=3) for way in tool.WAYS}
    assert {way: means_against_overfitting(model) for way, model in built.items()} == {
        "none of them": set(),
        "dropout": {"dropout"},
        "weight decay": {"weight decay"},
        "augmentation": {"augmentation"},
        "all three": {"dropout", "weight decay", "augmentation"},
    }
    assert {model.program.epochs for model in built.values()} == {3}


def test_the_table_has_means_and_deviations(tool):
    runs = [
        tool.Measured("dropout", 0, 0.85, 0.5, 0.9, 0.25, 60.0),
        tool.Measured("dropout", 1, 0.87, 0.7, 0.9, 0.25, 60.0),
        tool.Measured("all three", 0, 0.9, 0.25, 0.9, 0.5, 60.0),
    ]
    assert tool.table(["dropout", "all three"], runs).splitlines() == [
        "                 test top1       test loss   training loss",
        "dropout     86.00% ± 1.41%   0.600 ± 0.141   0.250 ± 0.000",
        "all three           90.00%           0.250           0.500",
    ]


@pytest.mark.slow
def test_a_run_from_beginning_to_end(tool, shared):
    task = tool.Task("all three", 0, str(shared / "data" / "fashion-mnist"), 0.01, 2)
    run = tool.measure(task)
    assert run.way == "all three" and 0 < run.test_top1 < 1
    assert tool.measure(task).test_loss == run.test_loss
