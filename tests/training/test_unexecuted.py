"""Programs that are checked and not carried out: sound for `check`, refused by name for `train`."""

from __future__ import annotations

import pytest
from small_networks import built

from netdsl.diagnostics import Refused
from netdsl.training.check import check_executable, check_program
from netdsl.training.loop import fit
from netdsl.training.trainer import Trainer

MODEL = """
model M {{
    input image: f32[B, 1, 8, 8]
    input label: i64[B] in 0..10
    {inputs}
    h = image -> flatten -> body: linear{{16}} -> relu
    output logits = h -> fc: linear{{10}}
    loss ce = cross_entropy(logits, label)
    loss size = mean(logits ** 2) {terms}
    metric top1 = accuracy(logits, label)
}}
"""
MINIMIZE = "minimize ce with adam(lr = 1e-3)"
GAN = ("step D { minimize ce over body with adam(lr = 1e-3) } "
       "step G { minimize size over fc with adam(lr = 1e-3) }")


def program(body: str, inputs: str = "", terms: str = ""):
    text = MODEL.format(inputs=inputs, terms=terms) + f"train M {{ data digits() {body} }}"
    return built(text)


UNEXECUTED = {
    "several steps": (GAN, ["several steps"]),
    "every": ("step A { minimize ce with adam(lr = 1e-3) } every 2", ["`every`"]),
    "precision, workers": (f"precision bf16 workers 2 {MINIMIZE}", ["`precision`", "`workers`"]),
    "weights": (f'weights file("w.npz", except = fc) {MINIMIZE}', ["`weights`"]),
}


@pytest.mark.parametrize(("body", "expected"), UNEXECUTED.values(), ids=UNEXECUTED)
def test_what_is_checked_and_not_carried_out(body, expected):
    made = program(body)
    assert check_program(made.graph, made.program) == []
    problems = check_executable(made.graph, made.program)
    assert {problem.code for problem in problems} == {"N432"}
    assert [problem.what for problem in problems] == expected
    assert all(problem.span is not None for problem in problems)
    with pytest.raises(Refused) as refused:
        fit(made.graph, made.program)
    assert [problem.what for problem in refused.value.problems] == expected


def test_stepping_by_hand_leaves_out_nothing_either():
    made = program(f"workers 2 {MINIMIZE}")
    with pytest.raises(Refused, match="`workers`"):
        Trainer(made.graph, made.program)


@pytest.mark.parametrize(("body", "code"), [
    ("data images(\"anywhere\")", "N446"), ("data cifar10(\"anywhere\")", "N446"),
    ("data text(\"anywhere\")", "N443"), ("data pairs(digits())", "N443"),
])
def test_sources_that_are_not_read_are_checked_by_their_fields(body, code):
    with pytest.raises(Refused) as refused:
        built(MODEL.format(inputs="", terms="") + f"train M {{ {body} {MINIMIZE} }}")
    assert [problem.code for problem in refused.value.problems] == [code]


def test_a_source_that_is_not_read_is_refused_by_name():
    made = built("model M { input text: f32[B, 9] loss size = mean(linear{2}(text) ** 2) }"
                 'train M { data text_stream("anywhere", 9) minimize size with sgd(lr = 1) }')
    with pytest.raises(Refused) as refused:
        fit(made.graph, made.program)
    assert [(p.code, p.what) for p in refused.value.problems] == [
        ("N432", "the data source `text_stream`")
    ]


# ------------------------------------------------------------------ lists of inputs

LIST = """
model Views {
    input crop[3]: f32[B, 1, 8, 8]
    input image: f32[B, 1, 8, 8]
    f = linear{4}
    a, b, c = f(flatten(crop[0])), f(flatten(crop[1])), f(flatten(crop[2]))
    output y = f(flatten(image))
    loss far = mean((a - b) * c)
}
"""


def test_a_list_of_inputs_is_fed_by_its_name_each_with_its_own_draws():
    from netdsl.data.batches import Batches
    from netdsl.data.sources import load_source

    made = built(LIST + "train Views { data digits() feed crop = image -> random_crop(pad = 3) "
                        "minimize far with adam(lr = 1e-3) }")
    batches = Batches(made.graph, load_source(made.program.data), 8, feeds=made.program.feeds)
    batch = next(batches.training(0))
    assert batch.keys() == {"crop.0", "crop.1", "crop.2", "image"}
    assert (batch["crop.0"] != batch["crop.1"]).any()
    assert (batch["crop.1"] != batch["crop.2"]).any()


@pytest.mark.parametrize(("feeds", "code", "text"), [
    ("", "N443", "nothing feeds the input `crop`"),
    ("feed crops = image", "N441", "did you mean `crop`?"),
    ("feed crop = image feed crop = image", "N442", "the input `crop` is fed twice"),
    ("feed crop = image -> random_crop(pad = 1.5)", "N405", "`pad` of `random_crop`"),
    ("feed crop = label", "N446", "`crop: f32[B, 1, 8, 8]`"),
])
def test_a_list_of_inputs_is_spoken_of_by_its_name(feeds, code, text):
    with pytest.raises(Refused) as refused:
        built(LIST + f"train Views {{ data digits() {feeds} minimize far with sgd(lr = 1) }}")
    assert [problem.code for problem in refused.value.problems] == [code]
    assert text in str(refused.value)
