"""Models, presets and the attributes that the command line overrides."""

from __future__ import annotations

import pytest

from building import codes_of, compiled, graph_of, outputs, parameters, problems_of

TEXT = """
layer Wide{c, factor = 2, inner = c * factor}(x) {
    return x -> up: linear{inner, bias = false} -> down: linear{c, bias = false}
}
model Base{width = 4, block = Wide, twice = 2 * width, depths = [1, 1]} {
    input x: f32[B, width]
    stage: for (n in depths) { x = x -> block{twice} }
    output y = x
}
model Small = Base{3}
model Deep  = Base{depths = [1, 2, 1], width = 5}
model Deeper = Deep{width = 6, twice = 7}
model Same = Deeper
"""

SHAPES = {
    "the model itself": ("Base", {}, "f32[B, 8]", 4), "by position": ("Small", {}, "f32[B, 6]", 4),
    "by name": ("Deep", {}, "f32[B, 10]", 6),
    "a preset of a preset": ("Deeper", {}, "f32[B, 7]", 6),
    "a name for a preset": ("Same", {}, "f32[B, 7]", 6),
    "the last one": (None, {}, "f32[B, 7]", 6),
    "overridden": ("Base", {"width": 10}, "f32[B, 20]", 4),
    "an override wins": ("Deeper", {"twice": 2}, "f32[B, 2]", 6),
    "an expression": ("Base", {"width": "2 ** 3 + len([1, 2])"}, "f32[B, 20]", 4),
    "a list": ("Base", {"depths": "[1] + [1, 1]"}, "f32[B, 8]", 6),
    "exactly": ("Base", {"width": "100 * (1 - 0.9)"}, "f32[B, 20]", 4),
}


@pytest.mark.parametrize("model, given, shape, count", SHAPES.values(), ids=SHAPES)
def test_attributes(model, given, shape, count):
    graph = graph_of(TEXT, model, **given)
    assert outputs(graph) == {"y": shape}
    assert len(graph.parameters) == count


def test_an_override_may_name_what_the_file_declares():
    text = TEXT + "layer Flat{c}(x) { return x -> fc: linear{c, bias = false} }"
    assert parameters(graph_of(text, "Base", block="Flat")) == {
        "stage.0.fc.weight": "[8, 4]", "stage.1.fc.weight": "[8, 8]",
    }
    assert list(parameters(graph_of(text, "Base", block="linear")))[0] == "stage.0.weight"


def test_defaults_use_attributes_to_their_left_after_overrides():
    shapes = parameters(graph_of(TEXT, "Base", width=10, depths="[1]"))
    assert shapes == {"stage.0.up.weight": "[40, 10]", "stage.0.down.weight": "[20, 40]"}


REFUSED = {
    "an unknown attribute": ({"widht": 3}, ["N202"]),
    "an unknown name": ({"width": "wide"}, ["N201"]),
    "no expression": ({"width": "3 +"}, None), "two": ({"width": "3 let b = 4"}, None),
    "an instance": ({"block": "Wide{3}"}, ["N229"]), "a model": ({"width": "Small"}, ["N216"]),
    "a keyword": ({"width": "model"}, None), "nothing": ({"width": ""}, None),
}


@pytest.mark.parametrize("given, codes", REFUSED.values(), ids=REFUSED)
def test_overrides_that_cannot_be(given, codes):
    found = codes_of(TEXT, "Base", **given)
    assert found == codes if codes else found and all(code[:2] == "N1" for code in found)


def test_an_override_is_shown_as_it_was_given():
    problem, = problems_of(TEXT, "Base", widht=3)
    mark = problem.describe().marks[0]
    assert mark.span.source.text == "widht=3" and mark.span.text == "widht"
    problem, = problems_of(TEXT, "Base", width="nothing")
    mark = problem.describe().marks[0]
    assert mark.span.source.name == "-D width" and mark.span.text == "nothing"


PRESETS = {
    "unknown attribute": ("model P = Base{widht = 3}", ["N202"]),
    "given twice": ("model P = Base{3, width = 3}", ["N204"]),
    "too many": ("model P = Base{1, Wide, 2, [1], 5}", ["N204"]),
    "of nothing": ("model P = Bass{}", ["N216"]), "of a layer": ("model P = Wide{}", ["N216"]),
    "of itself": ("model P = P{}", ["N221"]),
    "in a circle": ("model P = Q{}\nmodel Q = P{}", ["N221"]),
}


@pytest.mark.parametrize("line, codes", PRESETS.values(), ids=PRESETS)
def test_presets_that_cannot_be(line, codes):
    assert codes_of(TEXT + line, "P") == codes


def test_a_chain_of_presets_is_bounded():
    lines = "\n".join(f"model P{i} = {f'P{i - 1}' if i else 'Base'}{{}}" for i in range(3000))
    assert codes_of(TEXT + lines, "P2999") == ["N701"]
    assert codes_of(TEXT + lines, "P50") == []


def test_missing_attributes_are_asked_for():
    text = "model M{classes} { input x: f32[B, classes]  output x }\nmodel N = M{3}"
    assert codes_of(text, "M") == ["N203"]
    assert codes_of(text, "M", classes=4) == []
    assert codes_of(text, "N") == []


def test_no_model():
    assert codes_of("layer L{}(x) { return x }") == ["N220"]
    assert codes_of(TEXT, "Bas") == ["N220"]


def test_the_program_of_a_preset_is_its_models():
    train = "\ntrain {} {{ batch {} minimize l with sgd(lr = 1) }}"
    text = TEXT.replace("output y = x", "output y = x -> head: linear{1}  loss l = mean(y)")
    text += train.format("first: Base", 5) + train.format("Deeper", 7) + train.format("Base", 6)
    batches = {name: compiled(text, name)[0].program.batch
               for name in ("Base", "Small", "Deep", "Deeper", "Same")}
    assert batches == {"Base": 6, "Small": 6, "Deep": 6, "Deeper": 7, "Same": 7}
