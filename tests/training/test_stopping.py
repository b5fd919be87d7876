"""What goes by the figures of validation: early stopping, kept epochs, rates on a plateau."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from small_networks import blobs, built, perceptron, program, recipe

from netdsl.data.dataset import Dataset
from netdsl.diagnostics import Refused
from netdsl.ir.program import Minimize, Recipe, Reference
from netdsl.training.check import check_program
from netdsl.training.judge import Judge
from netdsl.training.loop import fit
from netdsl.training.schedules import Plateau, bind_schedule
from netdsl.weights import load_weights

HIGH = Minimize("ce", (), recipe("adam", 0.05))


def ended(patience: int, epochs: int = 60, **options):
    early = Recipe("early", (Reference(("val", "ce")),), {"patience": patience})
    told = program(HIGH, epochs=epochs, settings={"stop": early})
    return fit(perceptron(), told, dataset=blobs(), **options)


EARLY = {"stop": Recipe("early", (Reference(("val", "ce")),))}
LOWERED = Minimize("ce", (), recipe("adam", Recipe("plateau", (1, Reference(("val", "top1"))))))


@pytest.mark.parametrize(("told", "keep", "what"), [
    (program(HIGH, settings=EARLY), 0, "nothing measures `val.ce`"),
    (program(LOWERED), 0, "nothing measures `val.top1`"),
    (program(HIGH), 1, "nothing measures which epochs are best"),
    (program(HIGH), 0, None),
])
def test_nothing_goes_by_figures_that_no_rows_give(tmp_path, told, keep, what):
    data = Dataset.of({name: field.values for name, field in blobs().train.items()})
    options = {"dataset": data, "out": tmp_path, "keep": keep}
    if what is None:
        assert fit(perceptron(), told, **options).best is None
        return
    with pytest.raises(Refused) as refused:
        fit(perceptron(), told, **options)
    problem, = refused.value.problems
    diagnostic = problem.describe()
    assert problem.code == "N528" and "`hold_out = 0.2`" in diagnostic.suggestion
    assert diagnostic.message == f"{what}: the data, arrays, have no validation rows"


def test_stops_after_so_many_epochs_without_a_better_one():
    history = ended(patience=3)
    values = history.figures["ce"]
    assert history.stopped and len(values) < 60
    assert history.judge == "ce" and history.best == int(np.argmin(values)) + 1 == len(values) - 3


def test_gives_the_best_weights_and_leaves_the_last_ones_on_file(tmp_path):
    history = ended(patience=3, out=tmp_path)
    best, last = (load_weights(tmp_path / f"{name}.safetensors") for name in ("best", "weights"))
    assert all(np.array_equal(history.weights[name], best[name]) for name in best)
    assert any(not np.array_equal(last[name], best[name]) for name in best)


def test_stops_at_the_same_epoch_when_resumed(tmp_path):
    whole = ended(patience=3, out=tmp_path / "whole")
    ended(patience=3, epochs=whole.best, out=tmp_path / "parts")
    parts = ended(patience=3, out=tmp_path / "parts", resume=True)
    assert parts.figures == whole.figures and parts.stopped
    assert all(np.array_equal(whole.weights[n], parts.weights[n]) for n in whole.weights)
    again = ended(patience=3, out=tmp_path / "parts", resume=True)
    assert again.figures == whole.figures  # nothing is left to do
    assert all(np.array_equal(whole.weights[n], again.weights[n]) for n in whole.weights)


def test_does_not_stop_while_it_gets_better():
    history = ended(patience=30, epochs=5)
    assert not history.stopped and len(history.epochs) == 5


@pytest.mark.parametrize("keep", [0, 1, 3, 9])
def test_the_best_epochs_are_kept(tmp_path, keep):
    told = program(HIGH, epochs=6)
    fit(perceptron(), told, dataset=blobs(), out=tmp_path, epochs=4, keep=keep)
    history = fit(perceptron(), told, dataset=blobs(), out=tmp_path, keep=keep, resume=True)
    ranked = sorted(range(6), key=lambda i: (-history.figures["top1"][i], i))
    files = {path.name for path in tmp_path.glob("epoch-*")}
    assert files == {f"epoch-{i + 1}.safetensors" for i in ranked[:keep]}
    if keep:
        best, first = (load_weights(tmp_path / f"{name}.safetensors")
                       for name in ("best", f"epoch-{ranked[0] + 1}"))
        assert all(np.array_equal(best[name], first[name]) for name in best)


def test_a_fresh_training_drops_the_epochs_that_another_kept(tmp_path):
    fit(perceptron(), program(HIGH, epochs=4), dataset=blobs(), out=tmp_path, keep=9)
    fit(perceptron(), program(HIGH, epochs=2), dataset=blobs(), out=tmp_path, keep=9)
    assert {path.name for path in tmp_path.glob("epoch-*")} == {
        "epoch-1.safetensors", "epoch-2.safetensors"}


# ------------------------------------------------------------------ plateau


def plateau(**options) -> Plateau:
    figure = Reference(("val", "ce"))
    return bind_schedule(Recipe("plateau", (1.0, figure), {"patience": 2, **options}))


def rates(values: list[float], larger: bool = False, **options) -> list[float]:
    """The rate of each epoch behind the values before it."""
    judge = Judge("ce", larger)
    return [plateau(**options).after(lambda _: (judge, values[:i])).value(0, 1, 1)
            for i in range(1, len(values) + 1)]


def test_the_rate_falls_when_more_than_patience_epochs_were_no_better():
    stuck = [3.0, 2.0, 2.0, 2.0, 2.0, 2.0, 2.0, 2.0, 1.0, 1.0]
    assert rates(stuck) == pytest.approx([1, 1, 1, 1, 0.1, 0.1, 0.1, 0.01, 0.01, 0.01])
    assert rates(stuck, floor=0.05)[-1] == 0.05
    assert rates([1.0, 0.99998, 0.99995, 0.99992]) == pytest.approx([1, 1, 1, 0.1])  # the margin
    assert rates([0.1, 0.2, 0.3, 0.4], larger=True) == [1, 1, 1, 1]
    assert rates([float("nan")] * 4) == pytest.approx([1, 1, 0.1, 0.1])


def trained(epochs: int, **options):
    rate = Recipe("plateau", (0.05, Reference(("val", "ce"))), {"patience": 0, "factor": 0.5})
    told = program(Minimize("ce", (), recipe("adam", rate)), epochs=epochs)
    return fit(perceptron(), told, dataset=blobs(), **options)


def test_a_training_on_a_plateau_goes_down_and_resumes_to_the_same_bits(tmp_path):
    whole = trained(12, out=tmp_path / "whole")
    used = [epoch.rates["lr"] for epoch in whole.epochs]
    assert used[0] == 0.05 and used[-1] < 0.05
    worse = [b >= a * (1 - 1e-4) for a, b in zip(whole.figures["ce"], whole.figures["ce"][1:])]
    assert any(worse) and used[worse.index(True) + 2] == 0.025
    trained(7, out=tmp_path / "parts")
    parts = trained(12, out=tmp_path / "parts", resume=True)
    assert [replace(e, seconds=0) for e in parts.epochs] == [
        replace(e, seconds=0) for e in whole.epochs]


MODEL = """
model M {{
    input x: f32[B, 3]
    loss total = mean(x -> f: linear{{2}})
    metric gain = mean(x)
}}
train M {{ {body} }}
"""


@pytest.mark.parametrize(("body", "code", "text"), [
    ("minimize total with sgd(lr = plateau(0.1, val.los))", "N449", "`val.los`"),
    ("minimize total with sgd(lr = plateau(0.1, val.gain))", "N467", "`better = larger`"),
    ("minimize total with sgd(lr = warmup(1) -> plateau(0.1, val.gain))", "N467", "`val.gain`"),
    ("stop early(val.gain) minimize total with sgd(lr = 1)", "N467", "`better = smaller`"),
    ("stop early(val.gain, better = best) minimize total with sgd(lr = 1)", "N201", "`best`"),
])
def test_figures_that_nobody_can_go_by(body, code, text):
    with pytest.raises(Refused, match=code) as refused:
        built(MODEL.format(body=body))
    assert text in str(refused.value)


def test_a_figure_whose_direction_is_said():
    made = built(MODEL.format(
        body="stop early(val.gain, better = larger) "
             "minimize total with sgd(lr = plateau(0.1, val.gain, better = smaller))"))
    assert check_program(made.graph, made.program) == []
