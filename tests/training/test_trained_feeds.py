"""Feeds from draws, schedules and facts of the data, from a text to a trained network."""

from __future__ import annotations

import numpy as np
import pytest
from small_networks import built

from netdsl.data.batches import Batches
from netdsl.data.sources import load_source
from netdsl.diagnostics import Refused
from netdsl.training.check import check_executable, check_program, fed_inputs
from netdsl.training.history import Observer
from netdsl.training.loop import fit
from netdsl.training.scheduled import at_the_end
from netdsl.training.trainer import Trainer

MODEL = """
model M {{
    input image: f32[B, 1, 8, 8]
    input label: i64[B] in 0..10
    {inputs}
    h = image -> flatten -> body: linear{{4}} -> relu
    output logits = h -> fc: linear{{10}}
    loss ce = cross_entropy(logits, label)
    loss seen = mean(logits ** 2) + {seen}
}}
train M {{
    data digits(take = 100) {feed}
    batch 20  epochs 2
    minimize seen with adam(lr = 1e-3)
}}
"""


def program(inputs: str, seen: str, feed: str):
    return built(MODEL.format(inputs=inputs, seen=seen, feed=feed))


FEEDS = {
    "a schedule": ("input rate: f32[]", "rate", "feed rate = warmup(1) -> cosine(0.9, 1)"),
    "a number": ("input rate: f64[]", "f32(rate)", "feed rate = 0.5"),
    "noise": ("input noise: f32[B, 3]", "mean(noise)", "feed noise = normal(std = 2)"),
    "noise, transformed": ("input noise: f32[B, 3]", "mean(noise)",
                           "feed noise = uniform(0, 1) -> normalize(mean = 0.5, std = 2)"),
    "what the source knows": ("input freq: f32[10]", "mean(freq)", "feed freq = data.frequencies"),
    "transforms": ("", "0", "feed image = image -> resize(9) -> color_jitter(0.4) -> blur() "
                            "-> random_rotate(10) when training -> center_crop(8)"),
}


@pytest.mark.parametrize(("inputs", "seen", "feed"), FEEDS.values(), ids=FEEDS)
def test_what_is_fed_is_trained_on(inputs, seen, feed):
    made = program(inputs, seen, feed)
    assert check_program(made.graph, made.program) == []
    assert check_executable(made.graph, made.program) == []
    first, again = (fit(made.graph, made.program) for _ in range(2))
    assert [epoch.losses for epoch in first.epochs] == [epoch.losses for epoch in again.epochs]
    assert first.epochs[0].validation.keys() == {"ce", "seen"}


ONLY = "rate + 0 * mean(logits)"  # so that the loss is the number fed, and yet depends on weights
RATE = """
model M {{
    input image: f32[B, 1, 8, 8]
    input rate: f32[]
    output logits = image -> flatten -> fc: linear{{2}}
    loss told = rate + 0 * mean(logits)
}}
train M {{
    data digits(take = 100) feed rate = {schedule}
    batch 20  epochs {epochs}
    minimize told with sgd(lr = 0.1)
}}
"""


class Steps(Observer):
    """Notes the loss of every step."""

    def __init__(self):
        self.losses: list[float] = []

    def on_batch(self, epoch, batch, losses):
        self.losses.append(losses["told"])


def told(schedule: str, epochs: int = 2):
    made = built(RATE.format(schedule=schedule, epochs=epochs))
    steps = Steps()
    return made, steps, fit(made.graph, made.program, observer=steps)


def test_a_schedule_gives_every_step_its_number():
    _, steps, _ = told("linear(1, 0)")
    np.testing.assert_allclose(steps.losses, 1 - np.arange(10) / 10, rtol=1e-6)


def test_validation_takes_the_number_of_its_moment_and_evaluation_the_last():
    made, _, history = told("linear(1, 0)")
    seen = [epoch.validation["told"] for epoch in history.epochs]
    assert seen == pytest.approx([0.5, 0.1])  # that of the next step; the last stays
    end = at_the_end(made.graph, made.program, 5)
    assert end["rate"] == pytest.approx(0.1) and end["rate"].dtype == np.float32


def test_a_schedule_goes_on_where_training_resumes(tmp_path):
    made, whole, _ = told("cosine(1, 0.2)", epochs=3)
    parts = Steps()
    interrupted = built(RATE.format(schedule="cosine(1, 0.2)", epochs=3))

    class Stop(Steps):
        def on_batch(self, epoch, batch, losses):
            if (epoch, batch) == (2, 3):
                raise KeyboardInterrupt
            super().on_batch(epoch, batch, losses)

    with pytest.raises(Refused):
        fit(interrupted.graph, interrupted.program, out=tmp_path, observer=Stop())
    fit(interrupted.graph, interrupted.program, out=tmp_path, resume=True, observer=parts)
    assert parts.losses == whole.losses[5:]


def test_stepping_by_hand_knows_the_schedule():
    made = built(RATE.format(schedule="steps(1, at = [1], factor = 0.5)", epochs=2))
    images = np.zeros((4, 1, 8, 8), np.float32)
    trainer = Trainer(made.graph, made.program, steps_per_epoch=2)
    losses = [trainer.step({"image": images})["told"] for _ in range(4)]
    assert losses == [1, 1, 0.5, 0.5]
    assert trainer.scheduled() == {"rate": np.float32(0.5)}
    assert trainer.step({"image": images, "rate": np.float32(7)})["told"] == 7
    standing = Trainer(made.graph, made.program)
    assert [standing.step({"image": images})["told"] for _ in range(5)] == [1] * 5


def test_what_follows_a_figure_is_checked():
    with pytest.raises(Refused) as refused:
        built(RATE.format(schedule="plateau(1, val.top9)", epochs=1))
    assert "`val.top9`" in str(refused.value)


def test_a_number_that_heeds_a_plateau():
    _, steps, history = told("plateau(1, val.told, patience = 0, factor = 0.5)", epochs=3)
    assert steps.losses == [1] * 5 + [1] * 5 + [0.5] * 5
    assert [epoch.validation["told"] for epoch in history.epochs] == [1, 1, 0.5]


def test_what_nothing_needs_is_not_made():
    made = built(MODEL.format(inputs="input noise: f32[B, 3]", seen="0",
                              feed="feed noise = normal()").replace(
        "loss ce", "output y = noise\n    loss ce"))
    assert check_executable(made.graph, made.program) == []
    batches = Batches(made.graph, load_source(made.program.data), 8, feeds=made.program.feeds,
                      needed=fed_inputs(made.graph, made.program))
    assert next(batches.training(0)).keys() == {"image", "label"}


@pytest.mark.parametrize(("inputs", "feed", "code", "text"), [
    ("", "feed image = image -> random_crop(size = 9)", "N540",
     "a crop of 9 x 9 does not fit into 8 x 8"),
    ("", "feed image = image -> grayscale()", "N540", "images of 1 channel are grey already"),
    ("", "feed image = image -> color_jitter(0.2, hue = 0.1)", "N540",
     "neither saturation nor hue"),
    ("", "feed image = image -> normalize(mean = 0.5, std = 1) -> color_jitter(0.2)", "N542",
     "behind `normalize` black is no longer 0"),
    ("", "feed image = image -> cutout(8)", "N540", "covers the whole image"),
    ("", "feed label = label -> noise(1)", "N446", "transforms make floats, not i64"),
    ("", "feed image = image -> random_flip(p = 1.5)", "N405", "a number from 0 to 1, not 1.5"),
    ("", "feed image = image -> resize(9)", "N446", "its rows are [1, 9, 9] when training"),
    ("input noise: f32[B, 3]", "feed noise = normal() -> random_flip()", "N540",
     "images have 3 axes"),
    ("input noise: f32[3]", "feed noise = normal()", "N446", "its first axis is fixed at 3"),
    ("input freq: f32[9]", "feed freq = data.frequencies", "N446", "it is f32[10]"),
    ("input freq: f32[10]", "feed freq = data.frequency", "N457", "did you mean"),
])
def test_feeds_that_are_refused_before_anything_is_read(inputs, feed, code, text):
    name = feed.split()[1]
    with pytest.raises(Refused) as refused:
        program(inputs, f"mean({name})" if inputs else "0", feed)
    assert [problem.code for problem in refused.value.problems] == [code]
    assert text in str(refused.value)


@pytest.mark.parametrize("feed", [
    "feed image = image -> normalize(mean = 0, std = 2) -> color_jitter(0.2)",
    "feed image = image -> normalize(mean = 1, std = 2) when validating "
    "-> color_jitter(0.2) when training",
])
def test_black_that_stays_black(feed):
    assert check_program(*(lambda made: (made.graph, made.program))(program("", "0", feed))) == []
