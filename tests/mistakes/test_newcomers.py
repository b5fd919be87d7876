"""What newcomers write, coming from PyTorch, Keras, Python, YAML and papers: each `NAME.net` is a
small file with one mistake, right otherwise; `NAME.txt` is what netdsl says about it.

The message must offer a way out, and following it must leave nothing to say.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from netdsl.build.modules import load_module
from netdsl.build.training import check_targets
from netdsl.compiler import build, choose
from netdsl.diagnostics import Problem, Refused, Report, in_order
from netdsl.diagnostics.render import render_json, render_text
from netdsl.language.text import read_source
from netdsl.source import Source

HERE = Path(__file__).parent


@dataclass(frozen=True)
class Mistake:
    """`repair` gives wrong texts and the right ones, in the words of the message; where it says
    the way in other words, `said` has those. `left` are codes of what remains to be said."""

    code: str
    repair: dict[str, str]
    said: tuple[str, ...] = ()
    left: tuple[str, ...] = ()
    marked: str | None = field(default=None, kw_only=True)  # the text under the first mark
    count: int = field(default=1, kw_only=True)  # of messages, where there are several mistakes


MISTAKES = {
    # ------------------------------------------------------------ sizes and types
    "skip_channels": Mistake("N301", {"main + x": "main + (x -> proj: conv{c, 1})"},
                             ("`(x -> proj: conv{c, 1})` in place of `x`",)),
    "skip_without_padding": Mistake("N301", {"y = x -> conv1: conv{16, k = 3}":
                                             "y = x -> conv1: conv{16, k = 3, pad = 1}"},
                                    ("`pad = 1` in `conv{16, k = 3}`",), marked="x"),
    "no_flatten": Mistake("N302", {"-> fc: linear": "-> flatten -> fc: linear"},
                          ("`-> flatten` before `linear{classes}`",),
                          marked="cross_entropy(logits, label)"),
    "class_count": Mistake("N302", {"in 0..100": "in 0..10"},
                           marked="cross_entropy(logits, label)"),
    "loss_not_scalar": Mistake("N305", {"(y - image) ** 2": "mean((y - image) ** 2)"}),
    "fractional_pad": Mistake("N205", {"5 / 2": "5 // 2"}, marked="5 / 2"),
    "fractional_width": Mistake("N205", {"{width, k": "{floor(width), k"}, ("floor(width)",)),
    "shape_of_tensor": Mistake("N226", {
        "model Small": "layer Head{classes}(x: [B, c, H, W]) {\n"
                       "    return reshape(x, [B, c * H * W]) -> fc: linear{classes}\n"
                       "}\n\nmodel Small",
        "    n = x.shape[1] * 26 * 26\n": "",
        "reshape(x, [B, n]) -> fc: linear{classes}": "x -> head: Head{classes}",
    }, ("`layer Head{}(x: [B, c, H, W])`",), marked="x.shape"),
    "type_without_shape": Mistake("N135", {"f32\n": "f32[B, 1, 28, 28]\n"},
                                  ("`f32[B, 1, 28, 28]`",), marked="f32"),
    "none_as_size": Mistake("N201", {"None": "B"}, ("has a name: `B`",), marked="None"),
    "same_padding": Mistake("N205", {'pad = "same"': "pad = same"}),
    # ------------------------------------------------------------ PyTorch and Keras
    "conv_parentheses": Mistake("N206", {"conv(16, k = 3, pad = 1)": "conv{16, k = 3, pad = 1}"}),
    "pool_braces": Mistake("N207", {"maxpool{2}": "maxpool(2)"}),
    "layer_without_braces": Mistake("N206", {": Block\n": ": Block{}\n"}, ("`Block{}`",)),
    "nn_conv2d": Mistake("N201", {"nn.Conv2d(1, 16, 3)": "conv{16, k = 3}"}, marked="nn.Conv2d"),
    "keras_dense": Mistake("N201", {"Dense(64)": "linear{64}"}),
    "kernel_size": Mistake("N202", {
        "conv{in_channels = 1, out_channels = 16, kernel_size = 3, padding = 1}":
            "conv{16, k = 3, pad = 1}",
    }),
    "inputs_and_outputs": Mistake("N204", {"linear{3136, classes}": "linear{classes}"}),
    "channels_in_row": Mistake("N204", {"conv{1, 16, 3}": "conv{16, 3}"}),
    "operator_behind_stage": Mistake("N134", {
        "image -> conv1: conv{16, k = 3} -> relu + 1":
            "(image -> conv1: conv{16, k = 3} -> relu) + 1",
    }, ("`(image -> conv1: conv{16, k = 3} -> relu) + …`",)),
    "tensor_in_braces": Mistake("N242", {"conv{image, 16, k = 3}": "conv{16, k = 3}(image)"}),
    "attribute_in_parentheses": Mistake("N204", {
        "conv{16}(image, k = 3)": "conv{16, k = 3}(image)",
    }, ("`conv{16, k = 3}`",), marked="k = 3"),
    "instance_as_tensor": Mistake("N216", {"relu(conv1)": "relu(conv1(image))"}, ("`conv1(…)`",)),
    "method_call": Mistake("N226", {"x.relu()": "x -> relu"}),
    "view": Mistake("N226", {"x.view(B, -1)": "x -> flatten"}),
    "cat": Mistake("N202", {"dim = 1": "axis = 1"},
                   ("`concat([x, image], axis = 1)`",)),
    "no_axis": Mistake("N203", {"concat(x, image)": "concat(x, image, axis = 1)"}),
    "activation_argument": Mistake("N202", {", activation = relu}": "} -> relu"}, ("`-> relu`",),
                                   marked="activation = relu"),
    "dropout_alone": Mistake("N203", {"-> dropout ->": "-> dropout(p = 0.5) ->"},
                             ("`dropout(p = 0.5)`",), marked="dropout"),
    "sequential": Mistake("N201", {
        "body = Sequential(flatten, relu)\n": "x = image -> flatten -> relu\n", "body(image)": "x",
    }, ("`->` puts layers one behind the other",)),
    "self": Mistake("N125", {"self.": ""}, ("leave `self.` out",), marked="self"),
    "self_read": Mistake("N201", {"self.conv1(image)": "conv1(image)"}, marked="self"),
    "class_forward": Mistake("N125", {
        'class Net(nn.Module):\n    def __init__(self):\n        self.fc1 = nn.Linear(784, 10)\n\n'
        '    def forward(self, x):\n        return self.fc1(x)\n':
            "layer Net{}(x) {\n    return x -> fc1: linear{10}\n}\n",
    }, ("`layer Name{attribute = 1}(x) { … }`",), marked="class"),
    # ------------------------------------------------------------ names and labels
    "attribute_typo": Mistake("N202", {
        "conv{16, k = 3, strid = 2}": "conv{16, k = 3, stride = 2}",
    }),
    "word_typo": Mistake("N201", {"rleu": "relu", "flaten": "flatten", "clases": "classes"},
                         count=3),
    "label_as_tensor": Mistake("N240", {
        "x = image -> conv1: conv{16, k = 3, pad = 1} -> relu":
            "conv1 = image -> conv1: conv{16, k = 3, pad = 1}\n    x = conv1 -> relu",
    }, ("`conv1 = image -> conv1: conv{16, k = 3, pad = 1}`",), marked="conv1"),
    "label_as_layer": Mistake("N240", {
        "x = image -> conv1: conv{1, k = 3, pad = 1} -> relu":
            "conv1 = conv{1, k = 3, pad = 1}\n    x = image -> conv1 -> relu",
    }, ("`conv1 = conv{1, k = 3, pad = 1}`", "`conv1(x)`")),
    "duplicate_labels": Mistake("N209", {"-> conv: conv{32": "-> conv2: conv{32"},
                                ("another label",)),
    "loop_without_label": Mistake("N210", {"    for (": "    block: for ("},
                                  ("`block: for (…) { … }`",)),
    "two_in_a_turn": Mistake("N211", {"-> batchnorm{}": "-> batchnorm1: batchnorm{}"},
                             ("batchnorm1: batchnorm{}",)),
    "name_after_loop": Mistake("N241", {"    x = image\n": "    x = image\n    h = image\n"},
                               ("bind it before the loop, `h = …`",), marked="h"),
    "name_of_branch": Mistake("N241", {"dropout(x, 0.5) }": "dropout(x, 0.5) } else { y = x }"},
                              ("`else { y = … }`",), marked="y"),
    "name_of_model": Mistake("N201", {"layer Head{}": "layer Head{classes}",
                                      ": Head{}": ": Head{classes}"}, ("`layer Head{classes}`",),
                             marked="classes"),
    "other_file": Mistake("N201", {": ConvBN": ": blocks.ConvBN"}, ("`blocks.ConvBN`",)),
    "word_bound": Mistake("N208", {"    relu =": "    x =", "relu(relu)": "relu(x)"},
                          ("give it another name",)),
    "word_declared": Mistake("N221", {"layer conv{": "layer Block{",
                                      "block: conv{": "block: Block{"},
                             ("call what is declared something else",), marked="conv{c, k = 3}"),
    "rebound_layer": Mistake("N227", {"fc = linear{classes}": "fc = linear1: linear{classes}"},
                             ("`linear1: linear{classes}`",)),
    "unused_input": Mistake("N219", {"    input mask: f32[B, 1, 28, 28]\n": ""},
                            ("remove its declaration",), marked="mask"),
    "unused_attribute": Mistake("N245", {"k = 3": "k"}, ("use it",), marked="k"),
    "forgotten_result": Mistake("N230", {"logits = x ->": "logits = h ->"}, ("use the result",),
                                marked="linear{64}"),
    "import_without_name": Mistake("N125", {
        'use "./blocks.net"': 'use "./blocks.net" as blocks',
    }),
    "true_bound": Mistake("N243", {"true = 1": "true_ = 1", "* true": "* true_"}, ("`true_`",)),
    # ------------------------------------------------------------ layers and models
    "missing_return": Mistake("N222", {"-> relu\n}": "-> relu\n    return y\n}"}, ("`return y`",),
                              marked="Block"),
    "recursive_layer": Mistake("N221", {
        "if (n > 0) { x = x -> conv1: conv{16, k = 3} -> relu -> inner: Block{n - 1} }":
            "block: for (i in 0..n) { x = x -> conv{16, k = 3} -> relu }",
    }, ("`block: for (i in 0..n) { x = … }`",)),
    "model_as_layer": Mistake("N216", {
        "model Backbone {\n    input x: f32[B, 1, 28, 28]\n    output y =":
            "layer Backbone(x) {\n    y =",
        "relu -> flatten\n}": "relu -> flatten\n    return y\n}",
    }, ("`layer Backbone(x) { … return y }`",), marked="Backbone{}"),
    "return_in_model": Mistake("N216", {"return image -> fc: linear{10}":
                                        "output y = image -> fc: linear{10}"}),
    "output_without_name": Mistake("N131", {"output image -> fc: linear{10}":
                                            "output y = image -> fc: linear{10}"}),
    "two_outputs": Mistake("N125", {"output logits, features": "output logits  output features"},
                           marked=","),
    "loss_bound": Mistake("N131", {"loss = cross": "loss total = cross"},
                          ("`loss total = cross_entropy(logits, label)`",), marked="loss"),
    "input_equals": Mistake("N125", {"input image = f32": "input image: f32"},
                            ("`input image: f32[B, 1, 28, 28]`",), marked="="),
    "constructor_arguments": Mistake("N127", {"Small(classes = 10)": "Small{classes = 10}"}),
    # ------------------------------------------------------------ conditions
    "tensor_in_if": Mistake("N215", {"if (x > 0) { y = x } else { y = 0.1 * x }":
                                     "y = where(x > 0, x, 0.1 * x)"}, marked="x > 0"),
    "tensor_in_choice": Mistake("N215", {"if x > 0 then x else 0.1 * x":
                                         "where(x > 0, x, 0.1 * x)"}, marked="x > 0"),
    "python_ternary": Mistake("N121", {"16 if classes > 2 else 8":
                                       "if classes > 2 then 16 else 8"}),
    "when_block": Mistake("N249", {"when (classes > 2) { x = dropout(x, 0.5) }":
                                   "if (classes > 2) { x = dropout(x, 0.5) }"}),
    "if_without_braces": Mistake("N130", {"if (classes > 2) x = dropout(x, 0.5)":
                                          "if (classes > 2) { x = dropout(x, 0.5) }"}),
    "pipeline_in_choice": Mistake("N134", {"x -> fc1: linear{64} -> relu":
                                           "(x -> fc1: linear{64} -> relu)"}),
    "pipeline_behind_choice": Mistake("N247", {"if classes > 2 then x else x -> relu":
                                               "(if classes > 2 then x else x) -> relu"}),
    "when_first": Mistake("N125", {"when classes > 2 relu": "relu when classes > 2"},
                          ("the stage comes first",), marked="when"),
    "word_in_list": Mistake("N125", {"classes in [10, 100]": "classes == 10 or classes == 100"},
                            marked="in"),
    "is_none": Mistake("N120", {"is": "=="}, ("write `==`",), marked="is"),
    "and_and": Mistake("N120", {"&&": "and"}, ("write `and`",), marked="&&"),
    # ------------------------------------------------------------ Python and YAML
    "python_for": Mistake("N123", {
        "for i in range(4):\n        x = x -> conv{8, k = 3, pad = 1}":
            "for (i in 0..4) { x = x -> conv{8, k = 3, pad = 1} }",
    }, ("`for (i in 0..4) { … }`",), marked="for i in range(4)"),
    "range_call": Mistake("N201", {"range(4)": "0..4"}, ("count with `0..n`",), marked="range"),
    "c_loop": Mistake("N125", {"for (i = 0; i < 3; i++)": "for (i in 0..3)"},
                      ("`for (i in 0..3) { … }`",), marked="i = 0; i < 3; i++"),
    "break": Mistake("N125", {"0..9": "0..3", "        if (i == 3) { break }\n": ""},
                     ("shorten its range",), marked="break"),
    "list_comprehension": Mistake("N125", {
        "widths = [16 * i for i in 1..4]":
            "widths = []\n    for (i in 1..4) { widths = widths + [16 * i] }",
    }, ("`xs = []` and `for (…) { xs = xs + [16 * i] }`",)),
    "lambda": Mistake("N125", {
        "model Small": "layer Act{}(x) { return relu(x) }\n\nmodel Small",
        "    act = lambda x: relu(x)\n": "", "-> act": "-> act: Act{}",
    }, ("`layer Name{attribute = 1}(x) { … }`",), marked="lambda"),
    "print": Mistake("N125", {"    print(x)\n": ""}, ("nothing is printed",), marked="print"),
    "call_bound_to_nothing": Mistake("N133", {"    relu(x)\n": "    y = relu(x)\n",
                                              "logits = x": "logits = y"}, ("`y = relu(x)`",)),
    "negative_index": Mistake("N225", {"widths[-1]": "widths[1]"}),
    "colon_blocks": Mistake("N122", {"Block(x):": "Block(x) {", "-> relu\n\n": "-> relu\n}\n\n"},
                            ("`layer Block(x) { … }`",), marked=":"),
    "true_and_none": Mistake("N201", {"True": "true", "None": "none"}, count=2),
    "python_slice": Mistake("N132", {"image[:, 0]": "image[_, 0]"}),
    "list_append": Mistake("N133", {"xs.append(x)": "xs = xs + [x]"}, marked="xs.append(x)"),
    "plus_equals": Mistake("N120", {"x += image": "x = x + image"}, marked="+="),
    "matmul_sign": Mistake("N120", {"flatten(image) @ w": "matmul(flatten(image), w)"},
                           ("`matmul(a, b)`",), marked="@"),
    "colon_argument": Mistake("N248", {"k: 3": "k = 3"}, marked="k: 3"),
    "yaml": Mistake("N125", {"model: Small": "model Small {", "linear{10}\n": "linear{10}\n}\n"},
                    ("leave it out: `model Name",), marked=":"),
    # ------------------------------------------------------------ signs
    "missing_brace": Mistake("N112", {"pad = 1}\n    logits": "pad = 1}\n    }\n    logits"},
                             ("close it with `}`",), marked="{"),
    "missing_parenthesis": Mistake("N112", {"maxpool(2": "maxpool(2)"}, marked="("),
    "missing_comma": Mistake("N136", {"16 k": "16, k"}, marked="k"),
    "juxtaposition": Mistake("N110", {"relu image": "relu(image)"}, marked="image"),
    "label_behind": Mistake("N125", {"linear{classes}: fc": "fc: linear{classes}"}, marked=": fc"),
    "label_equals": Mistake("N125", {"fc = linear{classes}": "fc: linear{classes}"}, marked="="),
    "c_comment": Mistake("N126", {"/* a small network */": "# a small network"},
                         ("write `#` for `/*`",), marked="/*"),
    "semicolons": Mistake("N120", {";": ""}, ("leave it out",), marked=";"),
    "slash_comment": Mistake("N126", {"//": "#"}, ("write `#` for `//`",), marked="//"),
    "single_quotes": Mistake("N120", {"'at least two classes'": '"at least two classes"'}),
    "smart_quotes": Mistake("N120", {"“at least two classes”": '"at least two classes"'}),
    "arrow_of_another": Mistake("N120", {"|>": "->", "→": "->"}, count=2),
    "tabs": Mistake("N201", {"maxpol": "maxpool"}, marked="maxpol"),
    # ------------------------------------------------------------ training
    "minimize_alone": Mistake("N129", {"minimize ce": "minimize ce with adam(lr = 1e-3)"}),
    "minimize_call": Mistake("N129", {"minimize(ce, adam(lr = 1e-3))":
                                      "minimize ce with adam(lr = 1e-3)"}),
    "loss_by_function": Mistake("N411", {"minimize cross_entropy": "minimize ce"},
                                ("its losses are `ce`",)),
    "learning_rate": Mistake("N202", {"learning_rate": "lr"}, ("did you mean `lr`?",),
                             marked="learning_rate = 1e-3"),
    "feed_typo": Mistake("N441", {"feed images": "feed image"}, ("did you mean `image`?",)),
    "epochs_in_model": Mistake("N128", {"    epochs 3\n\n": "\n"}, ("`train Small { epochs 3 }`",),
                               marked="epochs"),
    "setting_equals": Mistake("N125", {"batch_size = 32": "batch 32"}, ("`batch 32`",), marked="="),
    # ------------------------------------------------------------ a second stranger
    "assert_without_else": Mistake(
        "N110", {"assert classes > 1": 'assert classes > 1 else "message"'}, marked="x",
    ),
    "parameter_without_value": Mistake("N110", {
        "w: f32[1, 1, 28, 28]": "w: f32[1, 1, 28, 28] = zeros()",
    }, marked="x"),
    "parameter_without_type": Mistake("N125", {"w = ones()": "w: f32[1, 1, 1, 28] = ones()"},
                                      ("`parameter w: f32[…] = ones()`",), marked="w"),
    "minimize_loss": Mistake("N115", {"minimize loss": "minimize ce"},
                             ("`minimize ce with adam(lr = 1e-3)`",), marked="loss"),
    "when_train": Mistake("N115", {" when train": ""}, ("leave it out",), marked="train"),
    "trailing_comma": Mistake(
        "N111", {"{classes},": "{classes}"}, ("leave the comma out",), marked=",",
    ),
    "label_of_parts": Mistake(
        "N125", {"stem.0:": "stem_0:"}, ("`stem_0: conv{16, k = 3}`",), marked="stem.0",
    ),
    "label_in_quotes": Mistake("N125", {'"stem":': "stem:"}, ("`stem: conv{16, k = 3}`",)),
    "input_without_name": Mistake("N131",
                                  {"input: f32[B, 1, 28, 28]": "input x: f32[B, 1, 28, 28]"},
                                  marked="input"),
    "position_behind_name": Mistake(
        "N204", {"k = 3, 2": "k = 3, stride = 2"}, ("`stride = 2`",), marked="2",
    ),
    "pool_empty_braces": Mistake("N203", {"maxpool{}": "maxpool(k = 3)"}),
    "label_in_braces": Mistake(
        "N240", {"    x = image": "    c = 16\n    x = image"}, ("`c = 16`",), marked="c",
    ),
    "ternary": Mistake("N121", {"classes > 5 ? relu(x) : tanh(x)":
                                "if classes > 5 then relu(x) else tanh(x)"}),
    "when_else": Mistake("N121", {"relu when classes > 5 else tanh":
                                  "(if classes > 5 then relu else tanh)"}),
    "inputs_in_row": Mistake(
        "N125", {", label:": "  input label:"}, ("28]  input label: i64[B]",), marked=",",
    ),
    "split_arrow": Mistake("N120", {"- >": "->"}),
    "losses_in_row": Mistake("N125", {", mean(logits)": "  loss ce_2 = mean(logits)"}, marked=","),
    "nested_names": Mistake("N125", {"x, (h, c)": "x, h, c"}, ("`x, h, c = …`",), marked="(h, c)"),
    "std_unused": Mistake("N201", {"net 1\n": "net 1\nuse std\n"}, ("`use std`",), marked="std"),
    "size_of_model": Mistake("N306", {"[B, L]": "[B, L_]"}, ("`L_`",), marked="L"),
    "unsqueeze": Mistake("N226", {"image.unsqueeze(1)": "stack([image], axis = 1)"}),
    "torch_cat": Mistake("N201", {"torch.cat([image, image], dim = 1)":
                                  "concat([image, image], axis = 1)"}, marked="torch.cat"),
    "transpose_axes": Mistake("N204", {"transpose(image, 1, 2)": "transpose(image, [0, 2, 1, 3])"}),
    "reshape_sizes": Mistake("N204", {"reshape(image, B, 784)": "reshape(image, [B, 784])"}),
    "reshape_minus_one": Mistake("N205", {"[B, -1]": "[B, ?]"}, left=("N309",)),
    "initialiser_bare": Mistake("N205", {"he_normal": "he_normal()"}, marked="he_normal"),
    "mask_axes": Mistake("N302", {"tril(28)": "reshape(tril(28), [1, 1, 28, 28])"}),
}


def problems_of(source: Source) -> tuple[Problem, ...]:
    report = Report()
    try:
        module = load_module(source, report)
        check_targets(module, report)
        build(module, choose(module, None), report)
    except Refused as refusal:
        return refusal.problems
    return in_order(report.problems)


def told(name: str) -> tuple[Problem, ...]:
    path = HERE / f"{name}.net"
    return problems_of(read_source(path, path.name))


def test_every_file_is_in_the_table():
    files = {path.stem for path in HERE.glob("*.net")} - {"blocks"}
    assert files == MISTAKES.keys() and len(files) >= 100


@pytest.mark.parametrize("name", MISTAKES)
def test_the_message(name, golden):
    problems = told(name)
    pictures = [render_text(problem.describe()) for problem in problems]
    golden(HERE / f"{name}.txt", "\n\n".join(pictures) + "\n")


@pytest.mark.parametrize("name", MISTAKES)
def test_one_mistake_gives_one_message_at_its_place(name):
    mistake, problems = MISTAKES[name], told(name)
    assert len(problems) == mistake.count and problems[0].code == mistake.code
    span = problems[0].describe().marks[0].span
    if mistake.marked is not None:
        assert span.text == mistake.marked
    else:  # it points into what has to change
        lines = {span.source.position(span.source.text.index(wrong))[0] + more
                 for wrong in mistake.repair for more in range(wrong.count("\n") + 1)}
        starts = {mark.span.line for mark in problems[0].describe().marks}
        assert starts & lines


@pytest.mark.parametrize("name", MISTAKES)
def test_the_way_out_works(name):
    """The message says it, and a file that follows it has nothing wrong."""
    mistake = MISTAKES[name]
    suggestions = " ".join(
        " ".join((*problem.describe().notes, problem.describe().suggestion or ""))
        for problem in told(name)
    )
    for words in mistake.said or mistake.repair.values():
        assert words in suggestions
    path = HERE / f"{name}.net"
    text = path.read_text("utf-8")
    for wrong, right in mistake.repair.items():
        assert wrong in text
        text = text.replace(wrong, right)
    left = problems_of(Source(path.name, text, path))
    assert tuple(problem.code for problem in left) == mistake.left, left


@pytest.mark.parametrize("name", MISTAKES)
def test_editors_get_the_same(name):
    """The JSON form holds the message, and its offsets, lines and columns are one place."""
    text = (HERE / f"{name}.net").read_text("utf-8")
    for problem in told(name):
        diagnostic = problem.describe()
        data = json.loads(json.dumps(render_json(diagnostic)))
        assert (data["code"], data["message"]) == (diagnostic.code, diagnostic.message)
        assert data["suggestion"] == diagnostic.suggestion
        assert len(data["marks"]) == len(diagnostic.marks) >= 1
        for mark in data["marks"]:
            before = text[: mark["start"]]
            assert mark["line"] == before.count("\n") + 1
            assert mark["column"] == len(before) - (before.rfind("\n") + 1) + 1
            assert mark["start"] < mark["end"] <= len(text)


PLAIN = re.compile(r"N999|Traceback|\bToken\(|RBRACE|LPAR|NAME\b|<netdsl|object at 0x")


@pytest.mark.parametrize("name", MISTAKES)
def test_the_words_are_for_people(name):
    for problem in told(name):
        diagnostic = problem.describe()
        for words in (diagnostic.message, *diagnostic.notes, diagnostic.suggestion or ""):
            assert not PLAIN.search(words), words
        assert diagnostic.suggestion or problem.code == "N411"
