"""`explain`: a page for every message and word."""

from __future__ import annotations

import re
from collections import Counter

import pytest

from netdsl.cli import concepts
from netdsl.cli.pages import all_pages, problems
from netdsl.language.words import FORMS
from netdsl.layers import WORDS
from netdsl.training.settings import SETTINGS, STATEMENTS

from commands import netdsl


@pytest.mark.parametrize("problem", problems(), ids=lambda problem: problem.__name__)
def test_every_problem_has_a_page(problem):
    assert re.fullmatch(r"N\d{3}", problem.code)
    page = problem.__doc__ or ""
    assert not page.startswith(f"{problem.__name__}("), "this is what dataclasses write themselves"
    title, blank, rest = (page + "\n\n").split("\n", 2)
    assert title.strip().endswith((".", "?", "!")), "the title is a sentence of one line"
    assert not blank.strip()


def test_no_two_problems_share_a_code():
    counts = Counter(problem.code for problem in problems())
    assert [code for code, count in counts.items() if count > 1] == []


def test_every_page_is_in_the_contents_and_can_be_asked_for():
    contents = netdsl("explain").stdout
    for page in all_pages():
        assert page.title in contents
    for name in ("N201", *WORDS, *(page.title for page in all_pages() if page.sort == "term")):
        assert netdsl("explain", name).exit_code == 0


@pytest.mark.parametrize("word, shown", [
    ("conv", "conv{c, k = 1, stride = 1, pad = 0, dilation = 1, groups = 1, bias = true, "
             "flip = false, init = he_normal()}(x)    (layer)\n"),
    ("relu", "relu(x)    (function)\n"),
    ("concat", "concat(*xs, axis)    (function)\n"),
    ("rearrange", "rearrange(x, pattern, name = …)    (function)\n"),
    ("std", "    std.Mlp{hidden, c, act = gelu, p = 0.0}\n        Two linear layers with"),
    ("std.convbn", "std.ConvBN{c, k = 3, stride = 1, dilation = 1, groups = 1, act = relu}(x: ["),
    ("std.ConvBN", "Convolution, batch norm, activation. An odd kernel keeps"),
    ("random_flip", "random_flip(p = 0.5)    (transform)\n"),
    ("adam", "    betas         two numbers from 0 to below 1\n"),
    ("linear", "linear(start, end = 0)    (schedule)\n"),
    ("linear", "linear{c, bias = true, init = lecun_uniform()}(x)    (layer)\n"),
    ("fashion_mnist", "fashion_mnist(folder, classes = [],"),
    ("digits", "take      the first n rows"),
    ("lecun_normal", "lecun_normal    (initialiser)\n"),
    ("he_normal", 'he_normal(fan = "in", slope = 0)    (initialiser)\n'),
    ("feed", "    feed image = image -> random_flip()\n"),
    ("input", "`input` stands in models.\n"),
    ("state", "    state queue: f32[d, K] = …\n\nA tensor that is kept from one step to the next"),
    ("step", "Several `minimize` run in the order of their steps"),
    ("->", "x -> f    (sign)\n"),
    ("_", "In a shape: any size."),
    ("bf16", "(dtype)\n"),
    ("label", "`fc.weight` and `fc.bias`"),
    ("Conv2d", "`Conv2d` is called `conv` here.\n\nconv{"),
    ("std", "(Hu et al. 2018).\n"),
    ("update", "`update` stands in models.\n"),
    ("parameter", "`parameter` stands in models and layers.\n"),
    ("data", "data digits(take = 1000)    (setting)\n"),
    ("batch", "How many rows make a step"),
    ("n201", "error[N201]: A name that nothing defines\n"),
    ("N462", "note[N462]: "),
    ("N999", "NETDSL_DEBUG=1"),
    ("pad = same", "pad = same    (term)\n"),
    ("data.frequencies", "data.frequencies    (term)\n"),
    ("val.top1", "val.NAME    (term)\n"),
    ("val", "measured over the validation rows"),
    ("confusion", "confusion matrix    (term)\n"),
    ("--keep-best", "--keep-best N    (option of train)\n\nKeep the weights of the N best epochs"),
    ("profile", "netdsl profile    (verb)\n\nTrain, and show how large each layer's gradient"),
    ("profile", "`netdsl profile --help` shows"),
])
def test_pages(word, shown):
    result = netdsl("explain", word)
    assert result.exit_code == 0
    assert shown in result.stdout


def test_every_entry_of_a_train_program_has_a_page():
    assert {*SETTINGS.rows, *STATEMENTS} <= {page.word for page in all_pages()}


def test_every_keyword_has_a_form_and_a_meaning():
    assert FORMS.keys() == concepts.KEYWORDS.keys()


def test_the_contents_have_headings_in_the_plural():
    lines = netdsl("explain").stdout.splitlines()
    assert {"libraries", "ways to stop", "origins of weights", "random draws"} <= set(lines)


def test_what_nobody_knows():
    result = netdsl("explain", "covn")
    assert result.exit_code == 2
    assert "did you mean `conv`?" in result.stderr
