"""`train` declarations to programs: numbers worked out, names kept, overrides put in."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import pytest

from building import compiled, compiled_source, errors_of, picture
from netdsl.build.modules import load_module
from netdsl.build.overrides import Vocabulary
from netdsl.build.training import check_targets, declarations_of, programs_of
from netdsl.compiler import build, choose
from netdsl.diagnostics import Problem, Refused, Report, feeds, rows, sampling
from netdsl.diagnostics import program as of_programs
from netdsl.ir.program import Flow, Pattern, Recipe, Reference, TrainProgram
from netdsl.source import Source

MODEL = """
let base = 1 / 10
model M {
    input image: f32[B, 1, 8, 8]
    input label: i64[B] in 0..10
    logits = image -> flatten -> body: linear{4} -> fc: linear{10}
    output logits
    loss ce = cross_entropy(logits, label)
    loss size = mean(logits) * base
}
"""
TRAIN = """
train M {
    data digits(take = 100)
    let rate = base * 2
    feed image = image -> random_flip() when training -> normalize(mean = 0.5, std = 0.25)
    batch 8 * 4
    epochs 3
    minimize ce with sgd(lr = warmup(1) -> cosine(rate), momentum = 0.9)
}
"""


def program(train: str = TRAIN, **settings: str) -> TrainProgram:
    built, _ = compiled(MODEL + train, settings=settings)
    return built.program


def test_a_program():
    made = program()
    assert (made.model, made.name, made.batch, made.epochs) == ("M", None, 32, 3)
    assert made.data == Recipe("digits", (), {"take": 100})
    feed, = made.feeds
    assert feed.inputs == ("image",)
    assert feed.value.head == Reference(("image",))
    flip, normalise = feed.value.stages
    assert flip.recipe == Recipe("random_flip") and flip.condition == Reference(("training",))
    assert normalise.recipe.keywords == {"mean": Fraction(1, 2), "std": Fraction(1, 4)}
    step, = made.steps
    minimize, = step.minimize
    assert (minimize.loss, minimize.over) == ("ce", ())
    assert minimize.optimizer.name == "sgd"
    assert minimize.optimizer.keywords["momentum"] == Fraction(9, 10)
    rate = minimize.optimizer.keywords["lr"]
    assert isinstance(rate, Flow) and rate.head == Recipe("warmup", (1,))
    assert rate.stages[0].recipe == Recipe("cosine", (Fraction(1, 5),))


def test_without_settings():
    made = program("train M { minimize ce with adam(lr = 1e-3) }")
    assert (made.data, made.batch, made.epochs) == (None, 32, 1)
    assert made.steps[0].minimize[0].optimizer.keywords == {"lr": Fraction(1, 1000)}


def test_a_model_without_a_program():
    assert compiled(MODEL)[0].program is None


def test_paths_of_parameters():
    made = program("train M { freeze body  minimize ce over fc.*, rest with adam(lr = 1e-3) }")
    assert made.freeze == (Pattern.of("body"),)
    assert made.freeze[0].span.text == "body"
    assert made.steps[0].minimize[0].over == (Pattern.of("fc.*"), Pattern.of("rest"))


def test_steps():
    made = program("""train M {
        step Fast { minimize ce over fc with sgd(lr = 1) } every 2 + 1
        step Slow { minimize ce over body with sgd(lr = 1) minimize size over fc with sgd(lr = 1) }
    }""")
    assert [(step.name, step.every) for step in made.steps] == [("Fast", 3), ("Slow", 1)]
    assert [[each.loss for each in step.minimize] for step in made.steps] == [
        ["ce"], ["ce", "size"]
    ]


def test_what_only_training_knows_is_kept_as_it_stands():
    made = program("""train M {
        data digits()  batch 64  accumulate 8  clip 2 / 4  precision bf16
        stop early(val.ce, patience = 1 + 2)
        weights file("a.npz", except = [fc.weight, body])
        minimize ce with sgd(lr = 1)
    }""")
    assert made.settings == {
        "accumulate": 8, "clip": Fraction(1, 2), "precision": Reference(("bf16",)),
        "stop": Recipe("early", (Reference(("val", "ce")),), {"patience": 3}),
        "weights": Recipe("file", ("a.npz",), {
            "except": (Reference(("fc", "weight")), Reference(("body",))),
        }),
    }


@pytest.mark.parametrize(("written", "value"), [
    ("if base < 1 then 4 else 8", 4), ("max(3, floor(9 / 2))", 4), ("8 // 2", 4),
    ("2 ** 2", 4), ("half * 8", 4), ("len(means) + 1", 4), ("-(-4)", 4),
])
def test_a_setting_is_any_compile_time_expression(written, value):
    text = f"let means = [1, 2, 3] train M {{ batch {written}  let half = 0.5 "
    assert program(text + "minimize ce with sgd(lr = 1) }").batch == value


# ------------------------------------------------------------------ which program holds

TWO = """
model Wide = M{}
train probe: M { minimize ce over fc with sgd(lr = 1) freeze rest }
train full: M { weights from_run(probe) minimize ce with sgd(lr = 2) }
"""


def chosen(text: str, name: str | None) -> TrainProgram | None:
    report = Report()
    module = load_module(Source("test.net", text), report)
    check_targets(module, report)
    built = build(module, choose(module, name), report, program=name)
    assert not report.has_errors
    return built.program


@pytest.mark.parametrize(("name", "program_name", "model"), [
    ("probe", "probe", "M"), ("full", "full", "M"), ("M", "full", "M"), ("Wide", "full", "Wide"),
    (None, "full", "Wide"),
])
def test_which_of_several_programs_is_meant(name, program_name, model):
    made = chosen(MODEL + TWO, name)
    assert (made.name, made.model) == (program_name, model)


def test_a_program_knows_those_above_it():
    assert chosen(MODEL + TWO, "full").runs == ("probe",)
    assert chosen(MODEL + TWO, "probe").runs == ()


OF_PRESET = MODEL + """
model Wide = M{}
train Wide { minimize ce over body with sgd(lr = 1) minimize ce over rest with sgd(lr = 2) }
"""


def test_a_program_of_a_preset_is_borrowed_where_it_fits():
    assert chosen(OF_PRESET, "M").model == "M"
    other = OF_PRESET.replace("model M {", "model M{deep = false} {").replace(
        "body: linear{4}", "body: linear{4} -> more: linear{4} when deep"
    ).replace("M{}", "M{deep = true}").replace("over body", "over more")
    assert chosen(other, "M") is None
    assert chosen(other, "Wide").model == "Wide"


def test_every_program_of_a_model_is_checked():
    wrong = MODEL + TWO.replace("over fc", "over fd")
    with pytest.raises(Refused) as refused:
        chosen(wrong, "full")
    assert [problem.code for problem in refused.value.problems] == ["N423"]


# ------------------------------------------------------------------ overrides


def rate_of(made: TrainProgram, number: int = 0):
    return made.steps[0].minimize[number].optimizer.keywords["lr"]


OVERRIDES = {
    "the batch": ({"batch": "16"}, lambda p: p.batch == 16),
    "worked out": ({"epochs": "2 ** 3"}, lambda p: p.epochs == 8),
    "a let": ({"rate": "3"}, lambda p: rate_of(p).stages[0].recipe.arguments == (3,)),
    "by a let of the file": ({"rate": "base"},
                             lambda p: rate_of(p).stages[0].recipe.arguments == (Fraction(1, 10),)),
    "an argument of the optimiser": ({"lr": "0.5"}, lambda p: rate_of(p) == Fraction(1, 2)),
    "one that is not written": (
        {"nesterov": "true"}, lambda p: p.steps[0].minimize[0].optimizer.keywords["nesterov"]
    ),
    "the data": ({"data": "digits(take = 7)"}, lambda p: p.data.keywords == {"take": 7}),
    "a schedule": ({"lr": "cosine(1)"}, lambda p: rate_of(p) == Recipe("cosine", (1,))),
    "a setting that is not written": ({"clip": "1.5"},
                                      lambda p: p.settings["clip"] == Fraction(3, 2)),
    "by the loss": ({"ce.lr": "0.5"}, lambda p: rate_of(p) == Fraction(1, 2)),
}


@pytest.mark.parametrize("settings, holds", OVERRIDES.values(), ids=OVERRIDES)
def test_overrides(settings, holds):
    assert holds(program(**settings))


SEVERAL = """train M {
    minimize ce over body with sgd(0.1, momentum = 0.9)
    minimize ce over fc   with sgd(lr = 1, momentum = 0.9)
}"""


def evaluated(train: str, **settings: str) -> tuple[TrainProgram | None, Report]:
    """The program alone, with a vocabulary of one optimiser."""
    report = Report()
    module = load_module(Source("test.net", MODEL + train), report)
    model = choose(module, None)
    vocabulary = Vocabulary(("batch",), {"sgd": ("lr", "momentum", "nesterov")})
    made = programs_of(
        module, model, declarations_of(module, model), report, settings, vocabulary
    )
    return made[-1], report


def arguments(made: TrainProgram) -> list[tuple]:
    optimizers = [each.optimizer for step in made.steps for each in step.minimize]
    return [(*each.arguments, *each.keywords.items()) for each in optimizers]


def test_an_argument_on_which_optimisers_agree_is_given_to_all():
    made, _ = evaluated(SEVERAL, momentum="0")
    assert arguments(made) == [(Fraction(1, 10), ("momentum", 0)), (("lr", 1), ("momentum", 0))]
    made, _ = evaluated(SEVERAL, nesterov="true")
    assert all(("nesterov", True) in each for each in arguments(made))


def test_an_argument_on_which_they_differ_is_addressed():
    made, report = evaluated(SEVERAL, **{"fc.lr": "3", "body.lr": "2"})
    assert not report.problems
    assert arguments(made) == [
        (2, ("momentum", Fraction(9, 10))), (("lr", 3), ("momentum", Fraction(9, 10))),
    ]


def test_a_step_is_addressed_by_its_name():
    steps = """train M { step A { minimize ce over body with sgd(lr = 1) }
                         step B { minimize ce over fc with sgd(lr = 2) } }"""
    made, _ = evaluated(steps, **{"B.lr": "5"})
    assert arguments(made) == [(("lr", 1),), (("lr", 5),)]


def test_an_ambiguous_override_is_told(golden):
    made, report = evaluated(SEVERAL, lr="cosine(1)")
    golden(GOLDEN / "n448_ambiguous_override.txt", picture(tuple(report.problems)))
    assert arguments(made)[1][0] == ("lr", 1)
    made, report = evaluated(SEVERAL, **{"body.lr": "cosine(1)"})  # the way out
    assert arguments(made)[0][0] == Recipe("cosine", (1,))


@pytest.mark.parametrize(("settings", "place"), [
    ({"batch": "2.5"}, "--set batch:1:1"),
    ({"clip": "2 * much"}, "--set clip:1:5"),
    ({"data": "digits(take = 0)"}, "--set data:1:8"),
    ({"lr": "cosine(-1)"}, "--set lr:1:1"),
    ({"ce.lrr": "3"}, "--set ce.lrr:1:1"),
    ({"stop": "early(val.cee)"}, "--set stop:1:7"),
    ({"bacth": "3"}, "--set:1:1"),
])
def test_an_error_points_at_the_override(settings, place):
    with pytest.raises(Refused) as refused:
        program(**settings)
    problem, = refused.value.problems
    assert problem.describe().marks[0].span.place == place


# ------------------------------------------------------------------ what is refused

REFUSED = {
    "an unknown setting": ({"bacth": "16"}, TRAIN, ["N202"]),
    "no number": ({"batch": "2.5"}, TRAIN, ["N433"]),
    "none at all": ({"batch": "0"}, TRAIN, ["N433"]),
    "no expression": ({"batch": "3 +"}, TRAIN, ["N111"]),
    "several": ({"batch": "3 let b = 4"}, TRAIN, ["N110"]),
    "a setting twice": ({}, "train M { batch 3 batch 4 minimize ce with sgd(lr = 1) }", ["N213"]),
    "a let twice": ({}, "train M { let a = 3 let a = 4 minimize ce with sgd(lr = a) }", ["N213"]),
    "a step twice": ({}, "train M { step A { minimize ce with sgd(lr = 1) } "
                         "step A { minimize ce with sgd(lr = 1) } }", ["N213"]),
    "a name twice": ({}, "train a: M { minimize ce with sgd(lr = 1) } "
                         "train a: M { minimize ce with sgd(lr = 1) }", ["N213"]),
    "a model's name": ({}, "train M: M { minimize ce with sgd(lr = 1) }", ["N213"]),
    "no optimiser": ({}, "train M { minimize ce with 3 }", ["N216"]),
    "no source": ({}, "train M { data 3 minimize ce with sgd(lr = 1) }", ["N216"]),
    "arithmetic on names": ({}, "train M { minimize ce with sgd(lr = base + image) }", ["N201"]),
    "too large": ({}, "train M { batch 9 ** 9 ** 9 minimize ce with sgd(lr = 1) }", ["N218"]),
    "told once": ({}, "train M { batch 1 + 1 / 0 + 1 minimize ce with sgd(lr = 1) }", ["N218"]),
    "a layer": ({}, "train M { batch linear{3} minimize ce with sgd(lr = 1) }", ["N216"]),
    "a transform of a transform": ({}, "train M { feed image = image -> 3 "
                                       "minimize ce with sgd(lr = 1) }", ["N216"]),
    "every half": ({}, "train M { step A { minimize ce with sgd(lr = 1) } every 1 / 2 }",
                   ["N433"]),
    "another model": ({}, "train N { minimize ce with sgd(lr = 1) }", ["N220"]),
}


@pytest.mark.parametrize("settings, train, codes", REFUSED.values(), ids=REFUSED)
def test_programs_that_cannot_be(settings, train, codes):
    with pytest.raises(Refused) as refused:
        program(train, **settings)
    errors = [p.code for p in refused.value.problems if p.severity == "error"]
    assert errors == codes


def test_programs_and_steps_are_bounded():
    programs = "".join(f"train p{i}: M {{ minimize ce with sgd(lr = 1) }} " for i in range(101))
    steps = "".join(f"step s{i} {{ minimize ce with sgd(lr = 1) }} " for i in range(101))
    for text in (programs, f"train M {{ {steps} }}"):
        with pytest.raises(Refused) as refused:
            program(text)
        assert [problem.code for problem in refused.value.problems] == ["N701"]


def test_very_many_mistakes_are_answered_at_once():
    wrong = " ".join(f"s{i} 3" for i in range(300)) + " minimize ce with sgd(lr = 1)"
    with pytest.raises(Refused) as refused:
        program(f"train M {{ {wrong} }}")
    assert len(refused.value.problems) == 50


def test_where_a_setting_stands_is_known():
    source = Source("test.net", MODEL + TRAIN)
    made = compiled_source(source)[0].program
    assert made.spans["batch"].text == "batch 8 * 4"
    assert made.steps[0].minimize[0].span.text.startswith("minimize ce")
    assert made.steps[0].minimize[0].place.text == "ce"
    assert made.feeds[0].spans[0].text == "image"


# ------------------------------------------------------------------ pictures

GOLDEN = Path(__file__).parent / "golden"
NO_SAMPLE = {
    "N412": "a model refuses such a loss by itself",
    "N432": "arises where a program is run",
    "N448": "arises from an override",
    "N541": "arises when images are read",
}


@pytest.mark.parametrize("kind", [
    kind
    for module in (of_programs, rows, feeds, sampling)
    for kind in vars(module).values()
    if isinstance(kind, type) and issubclass(kind, Problem) and kind.__module__ == module.__name__
], ids=lambda kind: kind.code)
def test_every_problem_of_programs_has_a_sample(kind):
    shown = {path.stem[:4].upper() for path in GOLDEN.glob("*.net")}
    assert (kind.code in shown) != (kind.code in NO_SAMPLE)


REPAIRED = {  # the sample of a code with the suggestions followed
    "n401": {"digit()": "digits()", "randomflip": "random_flip", "resize(8)": "resize(8)",
             "addam": "adam", "sample M { autoregresive(logits, label, length = 3) }": ""},
    "n407": {"random_flip() -> normalize": "image -> normalize", '"label"': "label",
             "lr = warmup(5)": "lr = warmup(5) -> cosine(0.1)",
             "cosine(0.1) -> warmup(5)": "warmup(5) -> cosine(0.1)"},
    "n411": {"cce": "ce"},
    "n414": {"epochs 3": "epochs 3 minimize ce with adam(lr = 1e-3)"},
    "n421": {"    step G": "    freeze rest\n    step G"},
    "n423": {"fd": "fc", "bodi": "body"},
    "n431": {"batch_size": "batch", "epoch ": "epochs ", "    optimizer adam(lr = 1e-3)\n": ""},
    "n440": {"digits": "digits()", "stop early": "stop early(figure = val.top1)",
             "with adam": "with adam(lr = 1e-3)", "lr = cosine": "lr = cosine(peak = 0.1)"},
    "n441": {"imgae": "image"},
    "n443": {"digits()": "digits() feed crop = image feed margin = cosine(0.99, 1.0)"},
    "n444": {"imgae": "image"},
    "n445": {"trainng": "training", "when val": "when validating"},
    "n447": {"train M { data digits() minimize": "train first: M { data digits() minimize",
             "sample M { decode(logits, image) }\n": "",
             "sample M { decode(logits, image, std = 2) }": ""},
    "n449": {"tpo1": "top1"},
    "n450": {"from_run(prob)": "from_run(probe)", "from_run(last)": "from_run(full)"},
    "n452": {"batch 100": "batch 96"},
    "n454": {"[sen]": "[seen]"},
    "n455": {"output last": "output h\n    output last", "tokens": "tok"},
    "n457": {"freqencies": "frequencies"},
    "n459": {"    minimize d over D with adam(lr = 2e-4)":
             "    step First { minimize d over D with adam(lr = 2e-4) }"},
}


@pytest.mark.parametrize("code", REPAIRED)
def test_the_way_out_works(code):
    path, = GOLDEN.glob(f"{code}_*.net")
    text = path.read_text("utf-8")
    for wrong, right in REPAIRED[code].items():
        assert wrong in text
        text = text.replace(wrong, right, 1)
    assert errors_of(text) == []
