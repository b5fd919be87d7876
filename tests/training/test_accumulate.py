"""Steps in several passes equal one large batch: every kind of loss, in float64 to 1e-12."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace

import numpy as np
import pytest
from small_networks import blobs, built, perceptron, program, recipe

from netdsl.autodiff import differentiate
from netdsl.backends.numpy import Runner
from netdsl.diagnostics import Refused, Report
from netdsl.ir.program import Minimize
from netdsl.layers.initializers import initialize
from netdsl.rewrite.specialize import specialize
from netdsl.training.check import check_program
from netdsl.training.graph import plan_training
from netdsl.training.loop import fit
from netdsl.training.trainer import Trainer

ROWS = 24
ONCE = ["descend", "conclude"]  # the row-wise part is gone through once
TWICE = ["collect", "descend"]
BOTH = ["collect", "descend", "conclude"]  # gradients rest on a part of what the losses read


@dataclass(frozen=True)
class Case:
    """The body of a model with an image [B, 3, 8, 8], x [B, 12], tokens [B, 5] and labels, what
    its program says, and the stages that show how its steps are made."""

    body: str
    stages: list[str]
    train: str = "minimize ce with sgd(lr = 0.5)"


CASES = {
    "a perceptron with dropout": Case("""
        h = x -> a: linear{7} -> relu -> dropout(0.4) -> b: linear{7} -> tanh -> dropout(0.25)
        loss ce = cross_entropy(h -> c: linear{4}, label)""", ONCE),
    "convolutions and group norm": Case("""
        h = image -> a: conv{6, k = 3, stride = 2, pad = 1} -> n: groupnorm{2} -> relu
                  -> maxpool(2) -> b: deconv{4, k = 2, stride = 2} -> avgpool(2) -> dropout(0.5)
        loss ce = cross_entropy(h -> flatten -> c: linear{4}, label)""", ONCE),
    "contrastive": Case("""
        f = linear{6}
        z1, z2 = l2norm(f(relu(x)), axis = 1), l2norm(f(tanh(other) -> dropout(0.2)), axis = 1)
        loss ce = cross_entropy(matmul(z1, transpose(z2)) / 0.3, arange(B, dtype = i64))""", TWICE),
    "all pairs of two views": Case("""
        f = linear{6}
        z = l2norm(concat(f(x), f(other), axis = 0), axis = 1)
        n = arange(2 * B)
        itself = reshape(n, [2 * B, 1]) == reshape(n, [1, 2 * B])
        close = where(itself, -1e9, matmul(z, transpose(z)) / 0.5)
        own = arange(B, dtype = i64)
        loss ce = cross_entropy(close, concat(own + B, own, axis = 0))""", TWICE),
    "attention with layer norm": Case("""
        h = concat(expand(start, [B, 1, 8]), tokens -> table: embedding{11, 8}, axis = 1)
        q = h -> n: layernorm{} -> wq: linear{8}
        h = h + attend(q, h -> wk: linear{8}, h -> wv: linear{8}, heads = 2, causal = true)
        h = h -> m: rmsnorm{}
        loss ce = cross_entropy(h[_, 5] -> c: linear{4}, label)""", ONCE),
    "windows that become rows": Case("""
        w = rearrange(image, "b c (h p) (w q) -> (b h w) (p q c)", p = 4, q = 4)
        y = w -> a: linear{5} -> gelu -> dropout(0.3)
        loss ce = mean(rearrange(y, "(b s) c -> b s c", b = B) -> b: linear{3})""", ONCE),
    "a recurrent net": Case("""
        h = tokens -> table: embedding{11, 6} -> r: lstm{5}
        loss ce = cross_entropy(h[_, 4] -> c: linear{4}, label)""", ONCE),
    "weights of rows in the denominator": Case("""
        w = share[_, 0]
        each = cross_entropy(x -> a: linear{4}, label, reduce = "none")
        loss ce = sum(each * w) / sum(w)""", BOTH),
    "learnt weights of rows": Case("""
        w = sigmoid(reshape(x -> a: linear{1}, [B]))
        each = cross_entropy(x -> b: linear{4}, label, reduce = "none")
        loss ce = sum(each * w) / sum(w)""", TWICE),
    "row-wise and coupled": Case("""
        h = x -> a: linear{6} -> dropout(0.3) -> tanh
        fit = cross_entropy(h -> c: linear{4}, label)
        centred = h - mean(h, axis = 0, keep = true)
        loss ce = fit + 0.2 * mean(matmul(transpose(centred), centred) ** 2) / B""", BOTH),
    "a parameter on both sides": Case("""
        h = x -> a: linear{6} -> tanh
        a2 = linear{6}
        loss ce = mean(a2(h) ** 2) + mean(matmul(matmul(transpose(h), h), a2.weight))""",
        BOTH),
    "an error over images": Case("""
        y = image -> a: conv{3, k = 3, pad = 1, bias = false}
        loss ce = mean((y - image) ** 2) + 0.1 * sum(abs(y), axis = (0, 2, 3))[0]""", ONCE),
    "a penalty on weights alone": Case("""
        a = linear{4}
        loss ce = cross_entropy(a(x), label) + 0.1 * sum(a.weight ** 2)""", ONCE),
    "draws": Case("""
        noisy = x + 0.3 * randn([B, 12]) + 0.1 * randn([1, 12])
        order = argsort(rand([B, 12]), axis = 1)
        kept = gather(noisy, order[_, 0..6], axis = 1)
        t = randint([B], 0..5)
        h = kept -> a: linear{5} -> tanh
        loss ce = mean(gather(h, t, axis = 1) ** 2) + mean(h * rand([1, 5]))""", ONCE),
    "two losses, one clip": Case("""
        h = x -> a: linear{6} -> dropout(0.3) -> relu
        loss ce = cross_entropy(h -> c: linear{4}, label)
        loss side = mean(matmul(other -> b: linear{5}, transpose(x -> d: linear{5})) ** 2)""",
        BOTH, "clip 0.1 minimize ce over a, c with adam(lr = 1e-2) "
        "minimize side over rest with sgd(lr = 0.1, momentum = 0.9)"),
    "one loss, two optimisers": Case("""
        h = x -> a: linear{6} -> dropout(0.3) -> relu
        loss ce = cross_entropy(h -> c: linear{4}, label)""",
        ONCE, "minimize ce over a with rmsprop(lr = 1e-2) minimize ce over rest with sgd(lr = 1)"),
    "everything coupled": Case("""
        h = concat(x, other, axis = 0) -> a: linear{4} -> dropout(0.2)
        loss ce = cross_entropy(h, concat(label, label, axis = 0))""", []),
    "only the coupled part is trained": Case("""
        h = x -> a: linear{6} -> tanh -> stop_grad
        loss ce = mean(matmul(mean(h, axis = 0, keep = true), transpose(start[_, 0, 0..6])) ** 2)
        """, ONCE, "freeze a minimize ce with sgd(lr = 0.5)"),
}


LEAVES = {
    "image": ("input", "f32[B, 3, 8, 8]"), "x": ("input", "f32[B, 12]"),
    "other": ("input", "f32[B, 12]"), "tokens": ("input", "i64[B, 5] in 0..11"),
    "label": ("input", "i64[B] in 0..4"), "share": ("input", "f32[B, 1]"),
    "rate": ("input", "f32[]"), "classes": ("input", "f32[3]"),
    "start": ("parameter", "f32[1, 1, 8] = normal(std = 0.3)"),
}


def made(case: Case, dtype: str = "f64"):
    """The model in this precision with its program; it declares what its body reads."""
    told = [f"{word} {name}: {rest}" for name, (word, rest) in LEAVES.items()
            if re.search(rf"\b{name}\b", case.body)]
    found = built("\n".join(["model M {", *told, case.body, "}",
                             f"train M {{ batch {ROWS} {case.train} }}"]))
    return specialize(found.graph, dtypes={"f32": dtype}), found.program


def batch(dtype=np.float64, rows=ROWS, seed=0) -> dict[str, np.ndarray]:
    drawn = np.random.default_rng(seed)
    floats = {"image": (3, 8, 8), "x": (12,), "other": (12,)}
    return {
        **{name: drawn.normal(size=(rows, *shape)).astype(dtype) for name, shape in floats.items()},
        "tokens": drawn.integers(0, 11, (rows, 5)), "label": drawn.integers(0, 4, rows),
        "share": drawn.uniform(0.1, 2, (rows, 1)).astype(dtype),
    }


def in_passes(told, passes: int):
    return replace(told, settings={**told.settings, "accumulate": passes})


def after_two_steps(graph, told, passes: int, dtype=np.float64) -> tuple[Trainer, list]:
    trainer = Trainer(graph, in_passes(told, passes), initialize(graph, 1), seed=5)
    return trainer, [trainer.step(batch(dtype, seed=seed)) for seed in (0, 1)]


def assert_same(state, expected, tolerance: float) -> None:
    assert state.keys() == expected.keys()
    for name, array in state.items():
        np.testing.assert_allclose(array, expected[name], tolerance, tolerance, err_msg=name)


@pytest.mark.parametrize("name", CASES)
def test_passes_equal_one_large_batch(name):
    graph, told = made(CASES[name])
    whole, losses = after_two_steps(graph, told, 1)
    for passes in (2, 4, 8):
        trainer, told_losses = after_two_steps(graph, told, passes)
        assert_same(trainer.state, whole.state, 1e-12)
        for step, expected in zip(told_losses, losses):
            assert step == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize("name", CASES)
def test_the_row_wise_part_is_gone_through_no_more_often_than_it_must(name):
    graph, told = made(CASES[name])
    trainer, _ = after_two_steps(graph, told, 2)
    stages = trainer._runner.step({"B": ROWS}).programs
    assert [stage for stage in stages if stage in BOTH] == CASES[name].stages


@pytest.mark.parametrize("name", ["convolutions and group norm", "contrastive", "a recurrent net"])
def test_steps_in_float32(name):
    graph, told = made(CASES[name], "f32")
    whole, _ = after_two_steps(graph, told, 1, np.float32)
    trainer, _ = after_two_steps(graph, told, 4, np.float32)
    assert_same(trainer.state, whole.state, 1e-6)


def test_a_step_is_the_same_bits_every_time():
    graph, told = made(CASES["contrastive"])
    first, again = (after_two_steps(graph, told, 4)[0].state for _ in range(2))
    assert all(np.array_equal(first[name], again[name]) for name in first)


# ------------------------------------------------------------------ state, copies, inputs for all

MOMENTUM_CONTRAST = Case("""
    state queue: f32[6, 48] = l2norm(randn([6, 48]), axis = 0)
    state head: i64[] = 0
    online = linear{6}
    target = ema(online, decay = 0.9)
    q, k = l2norm(online(x), axis = 1), l2norm(stop_grad(target(other)), axis = 1)
    update {
        next queue = write(queue, transpose(k), axis = 1, at = head)
        next head = (head + B) % 48
    }
    assert 48 % B == 0 else "the queue is a multiple of the batch {B}"
    same = sum(q * k, axis = 1, keep = true)
    loss ce = cross_entropy(concat(same, matmul(q, queue), axis = 1) / 0.2, label * 0)""", ONCE)


def test_states_are_read_as_they_were_and_move_once():
    graph, told = made(MOMENTUM_CONTRAST)
    whole, _ = after_two_steps(graph, told, 1)
    trainer, _ = after_two_steps(graph, told, 4)
    assert whole.state["head"] == 2 * ROWS % 48
    assert {"queue", "head", "online.weight", "target.weight"} <= whole.state.keys()
    assert_same(trainer.state, whole.state, 1e-12)


def test_other_free_sizes_may_change_from_step_to_step():
    text = """model M { input tokens: i64[B, L] in 0..9  input label: i64[N] in 0..4
        h = tokens -> table: embedding{9, 6} -> a: linear{4}
        loss ce = cross_entropy(mean(h, axis = 1), label) }
        train M { batch 8 minimize ce with sgd(lr = 0.5) }"""
    found = built(text)
    graph, drawn = specialize(found.graph, dtypes={"f32": "f64"}), np.random.default_rng(0)
    batches = [{"tokens": drawn.integers(0, 9, (8, length)), "label": drawn.integers(0, 4, 8)}
               for length in (3, 8, 3)]  # 8 is the batch too
    states = []
    for passes in (1, 4):
        trainer = Trainer(graph, in_passes(found.program, passes), initialize(graph, 1))
        for fed in batches:
            trainer.step(fed)
        states.append(trainer.state)
    assert_same(*states, 1e-12)


def test_an_input_for_all_rows_goes_to_every_part():
    case = Case("""chosen = gather(x -> a: linear{3}, categorical(classes, [B]), axis = 1)
    loss ce = rate * cross_entropy(x -> b: linear{4}, label) + mean(chosen)""", ONCE)
    graph, told = made(case)
    shared = {"rate": np.float64(0.3), "classes": np.arange(3.0)}
    states = []
    for passes in (1, 3):
        trainer = Trainer(graph, in_passes(told, passes), initialize(graph, 1))
        trainer.step({**batch(), **shared})
        states.append(trainer.state)
    assert_same(*states, 1e-12)


# ------------------------------------------------------------------ batch norm

NORMED = """
    n = batchnorm{}
    f = linear{6}
    """


def by_parts(graph, told, weights, fed, passes: int):
    """What a step of batch norm by pass must give, part by part: the mean of the gradients of the
    parts' own losses, and the statistics moved by one part after another."""
    moved = {name: array.copy() for name, array in weights.items()}
    plan = plan_training(graph, told, Report())
    names = [name for name in plan.slice.parameters]
    runner = Runner(differentiate(plan.slice, ["ce"], names), moved)
    found = [runner.run({n: np.split(x, passes)[part] for n, x in fed.items()}).gradients
             for part in range(passes)]
    return moved, {name: np.mean([part[name] for part in found], 0) for name in names}


def test_batch_norm_takes_the_rows_of_a_pass():
    case = Case(NORMED + "loss ce = cross_entropy(n(relu(n(f(x)))) -> c: linear{4}, label)", ONCE)
    graph, told = made(case)
    weights, fed = initialize(graph, 1), {name: batch()[name] for name in ("x", "label")}
    expected, gradients = by_parts(graph, told, weights, fed, 4)
    for name, gradient in gradients.items():
        expected[name] = weights[name] - 0.5 * gradient
    trainer = Trainer(graph, in_passes(told, 4), weights)
    trainer.step(fed)
    assert_same(trainer.weights, expected, 1e-12)


def test_statistics_move_once_where_the_passes_are_made_twice():
    case = Case(NORMED + """z1, z2 = n(f(x)), n(f(other))
    loss ce = cross_entropy(matmul(z1, transpose(z2)), arange(B, dtype = i64))""", TWICE)
    graph, told = made(case)
    weights, fed = initialize(graph, 1), {name: batch()[name] for name in ("x", "other")}
    expected, _ = by_parts(graph, told, weights, fed, 4)
    trainer = Trainer(graph, in_passes(told, 4), weights)
    trainer.step(fed)
    for name in ("n.running_mean", "n.running_var"):
        np.testing.assert_allclose(trainer.weights[name], expected[name], 1e-12)


def test_batch_norm_behind_where_rows_have_met_takes_them_all():
    body = NORMED + """z = n(concat(n(f(x)), f(other), axis = 0))
    loss ce = mean(z ** 3)"""
    graph, told = made(Case(body, []))
    whole, _ = after_two_steps(graph, told, 1)
    trainer, _ = after_two_steps(graph, told, 4)  # one running mean cannot move in both ways
    assert_same(trainer.state, whole.state, 1e-12)


# ------------------------------------------------------------------ what is refused and noted


def codes(case: Case, passes: int = 4) -> list[str]:
    graph, told = made(case)
    return [problem.code for problem in check_program(graph, in_passes(told, passes))]


@pytest.mark.parametrize(("case", "expected"), [
    (CASES["a perceptron with dropout"], []),
    (CASES["everything coupled"], ["N482"]),
    (Case(NORMED + "loss ce = cross_entropy(n(f(x)) -> c: linear{4}, label)", []), ["N481"]),
    (Case(NORMED + "loss ce = cross_entropy(n(f(x)) -> c: linear{4}, label)", [],
          "freeze n minimize ce with sgd(lr = 1)"), []),
], ids=["nothing", "all rows at once", "batch norm", "frozen batch norm"])
def test_notes(case, expected):
    assert codes(case) == expected
    assert codes(case, 1) == []


def test_a_fixed_number_of_rows_is_refused():
    text = "model M { input x: f32[8, 4] loss ce = mean(x -> a: linear{2}) } "
    found = built(text + "train M { batch 8 minimize ce with sgd(lr = 1) }")
    told = in_passes(found.program, 2)
    problem, = check_program(found.graph, told)
    assert problem.code == "N480" and "`x: f32[8, 4]`" in problem.describe().notes[0]
    with pytest.raises(Refused) as refused:
        Trainer(found.graph, told)
    assert [problem.code for problem in refused.value.problems] == ["N480"]


def test_a_batch_that_the_passes_cannot_share_is_refused_where_it_is_fed():
    graph, told = made(CASES["a perceptron with dropout"])
    trainer = Trainer(graph, in_passes(told, 8))
    with pytest.raises(Refused, match="8 passes cannot share a batch of 20"):
        trainer.step(batch(rows=20))
    trainer.step(batch(rows=16))
    trainer.step(batch(rows=24))


def test_a_loss_that_is_not_finite_moves_no_parameter():
    graph, told = made(CASES["a perceptron with dropout"])
    trainer, fed = Trainer(graph, in_passes(told, 4)), batch()
    fed["x"][20, 3] = np.nan
    before = trainer.weights
    with pytest.raises(Refused) as refused:
        trainer.step(fed)
    assert "`x`" in str(refused.value)
    assert_same(trainer.weights, before, 0)


# ------------------------------------------------------------------ memory, going on


def test_a_step_takes_the_memory_of_a_part():
    case = Case("""
        h = image -> a: conv{32, k = 3, pad = 1} -> relu -> b: conv{32, k = 3, pad = 1} -> relu
        loss ce = cross_entropy(h -> global_avgpool -> c: linear{4}, label)""", ONCE)
    graph, told = made(case)
    small, whole = (Trainer(graph, told)._runner.program({"B": rows}) for rows in (16, 128))
    step = Trainer(graph, in_passes(told, 8))._runner.step({"B": 128})
    assert step.peak_bytes < 1.01 * small.peak_bytes < 0.6 * whole.peak_bytes


def test_a_mean_over_images_hands_on_one_number_for_each():
    graph, told = made(CASES["an error over images"])
    step = Trainer(graph, in_passes(told, 4))._runner.step({"B": ROWS})
    shapes = sorted(value.shape for value in step.stages.frontier.values())
    assert shapes == [(ROWS, 1, 1, 1), (ROWS, 3, 1, 1)]


def test_resuming_gives_the_same_bits(tmp_path):
    told = program(Minimize("ce", (), recipe("adam", 0.01)), settings={"accumulate": 4})

    def trained(folder, epochs: int, **more):
        return fit(perceptron(), told, dataset=blobs(), seed=3, out=tmp_path / folder,
                   epochs=epochs, **more)

    whole = trained("whole", 3)
    trained("parts", 1)
    parts = trained("parts", 3, resume=True)
    assert [each.losses for each in whole.epochs] == [each.losses for each in parts.epochs]
    for name, array in whole.weights.items():
        assert np.array_equal(array, parts.weights[name]), name
