"""Functions of the language that are made of operations, against NumPy: one expression a row."""

from __future__ import annotations

import re
from collections.abc import Callable

import numpy as np
import pytest

from netdsl.backends.numpy import Runner
from netdsl.build.modules import load_module
from netdsl.compiler import build, choose
from netdsl.diagnostics import Refused, Report
from netdsl.layers import WORDS
from netdsl.layers.initializers import initialize
from netdsl.source import Source

DRAW = np.random.default_rng(3)
X = DRAW.normal(size=(2, 6, 4)).astype(np.float32)
Y = DRAW.normal(size=(2, 4, 5)).astype(np.float32)
IMAGE = DRAW.normal(size=(2, 3, 7, 5)).astype(np.float32)


def calculated(expression: str, **inputs: np.ndarray):
    """The value of an expression over inputs whose first axis is the free dimension B."""
    names = {"f4": "f32", "i8": "i64", "b1": "bool"}
    lines = []
    for name, array in inputs.items():
        sizes = ", ".join(map(str, ("B", *array.shape[1:])))
        lines.append(f"input {name}: {names[array.dtype.str[1:]]}[{sizes}]")
    text = "model M {\n" + "\n".join(lines) + f"\noutput result = {expression}\n}}\n"
    report = Report()
    module = load_module(Source("test.net", text), report)
    graph = build(module, choose(module, None), report).graph
    return Runner(graph, initialize(graph, 5)).run(inputs).outputs["result"]


ROWS: list[tuple[str, Callable[..., np.ndarray]]] = [
    # rearrange
    ('rearrange(x, "b (h d) l -> b h l d", h = 2)',
     lambda x: x.reshape(2, 2, 3, 4).transpose(0, 1, 3, 2)),
    ('rearrange(x, "b (h d) l -> b h l d", d = 2)',
     lambda x: x.reshape(2, 3, 2, 4).transpose(0, 1, 3, 2)),
    ('x -> rearrange("b c l -> l (c b)")', lambda x: x.transpose(2, 1, 0).reshape(4, 12)),
    ('rearrange(x, "x c l -> x 1 (c l) 1")', lambda x: x.reshape(2, 1, 24, 1)),
    ('rearrange(reshape(x, [B, 1, 24]), "b 1 l -> l b")', lambda x: x.reshape(2, 24).T),
    ('rearrange(x, "b (h p) (w q) -> b (h w) (q p)", p = 3, q = 2)',
     lambda x: x.reshape(2, 2, 3, 2, 2).transpose(0, 1, 3, 4, 2).reshape(2, 4, 6)),
    ('rearrange(x, "b c l -> (b c) l")', lambda x: x.reshape(12, 4)),
    ('rearrange(rearrange(x, "b c l -> (b c) l"), "(b c) l -> c b l", b = B)',
     lambda x: x.transpose(1, 0, 2)),
    ('rearrange(x, "b (c 1) l -> b c l")', lambda x: x),
    ('rearrange(rearrange(x, "b c l -> (b c) l"), "(n k) l -> n (k l)", k = 4)',
     lambda x: x.reshape(3, 16)),  # that 4 divides 6 * B is assumed
    # einsum
    ('einsum("b c l, b l k -> b c k", x, y)', lambda x, y: x @ y),
    ('einsum("b c l, b l k -> k c b", x, y)', lambda x, y: (x @ y).transpose(2, 1, 0)),
    ('einsum("b c l -> l", x)', lambda x: x.sum((0, 1))),
    ('einsum("b c l -> b l c", x)', lambda x: x.transpose(0, 2, 1)),
    ('einsum("b c l, b c l -> b c", x, x)', lambda x: (x * x).sum(2)),
    ('einsum("b c l, b c l -> b c l", x, x)', lambda x: x * x),
    ('einsum("b c l, b l k -> b l", x, y)', lambda x, y: np.einsum("bcl,blk->bl", x, y)),
    ('einsum("b c l, a l k -> a b c k", x, y)', lambda x, y: np.einsum("bcl,alk->abck", x, y)),
    ('einsum("b c l, b l k -> ", x, y)', lambda x, y: np.einsum("bcl,blk->", x, y)),
    ('einsum("b c l, b l k, b m k -> b c m", x, y, y)',
     lambda x, y: np.einsum("bcl,blk,bmk->bcm", x, y, y)),
    ('x -> einsum("b c l, b l k -> b c k", y)', lambda x, y: x @ y),
    # pad
    ("pad(x, axis = 1, after = 2)", lambda x: np.pad(x, [(0, 0), (0, 2), (0, 0)])),
    ("x -> pad(axis = -1, before = 1, after = 3)", lambda x: np.pad(x, [(0, 0), (0, 0), (1, 3)])),
    ("pad(x, 0, before = B)", lambda x: np.pad(x, [(2, 0), (0, 0), (0, 0)])),
    ("pad(x > 0, axis = 2, after = 1)", lambda x: np.pad(x > 0, [(0, 0), (0, 0), (0, 1)])),
    # split, stack
    ("split(x, 3, axis = 1)[1]", lambda x: x[:, 2:4]),
    ("split(x, 2, axis = -1)[0]", lambda x: x[..., :2]),
    ("stack(x, x + 1, axis = 0)", lambda x: np.stack([x, x + 1])),
    ("stack([x, x, x], axis = -1)", lambda x: np.stack([x] * 3, -1)),
    ("stack(x, axis = 2)", lambda x: x[:, :, None]),
    # tensors out of sizes
    ("mean(x, axis = [1, 2]) + zeros([B])", lambda x: x.mean((1, 2))),
    ("f32(zeros([B], i64) == 0) * mean(x)", lambda x: np.full(2, x.mean())),
    ("ones([B, 3]) + 0 * sum(x)", lambda x: np.ones((2, 3))),
    ("full([2, 2], 0.5) * sum(x)", lambda x: np.full((2, 2), 0.5 * x.sum())),
    ("x * reshape(arange(4), [1, 1, 4])", lambda x: x * np.arange(4)),
    ("arange(B) + 0 * sum(x)", lambda x: np.arange(2)),
    ("linspace(0, 1, 5) + 0 * sum(x)", lambda x: np.linspace(0, 1, 5)),
    ("linspace(0.1, -2, 8) + 0 * sum(x)", lambda x: np.linspace(0.1, -2, 8)),
    ("linspace(3, 4, 1) + 0 * sum(x)", lambda x: np.array([3.0])),
    ("where(tril(4), 1, 0) + 0 * sum(x)", lambda x: np.tril(np.ones((4, 4)))),
    ("where(tril(B), 1, 0) + 0 * sum(x)", lambda x: np.tril(np.ones((2, 2)))),
    # choosing
    ("gather(x, argsort(mean(x, axis = 2), axis = 1)[_, 0..2], axis = 1)",
     lambda x: np.stack([row[np.argsort(row.mean(1))[:2]] for row in x])),
    ("one_hot(argmax(x, axis = 2), 4)", lambda x: np.eye(4)[x.argmax(2)]),
    ("write(x, y[_, 0..2, 0..4], axis = 1, at = 3)",
     lambda x, y: np.concatenate([x[:, :3], y[:, :2, :4], x[:, 5:]], 1)),
    # reductions
    ("max(x, axis = 1)", lambda x: x.max(1)),
    ("min(x)", lambda x: x.min()),
    ("max(x, axis = [1, -1], keep = true) * min(3, 2)", lambda x: 2 * x.max((1, 2), keepdims=True)),
    ("logsumexp(x, axis = 2)", lambda x: np.log(np.exp(x).sum(2))),
    ("cumsum(x)", lambda x: x.cumsum(2)),
    ("cumprod(x, axis = 1)", lambda x: x.cumprod(1)),
    ("l2norm(x, axis = 2)", lambda x: x / np.sqrt((x * x).sum(2, keepdims=True))),
    ("l2norm(0 * x, axis = 1)", lambda x: 0 * x),
    ("cosine(x, x + 1, axis = 2)", lambda x: (x * (x + 1)).sum(2) / np.sqrt(
        (x * x).sum(2) * ((x + 1) ** 2).sum(2))),
    ("cosine(x, -2 * x)", lambda x: -np.ones((2, 6))),
    ("max(x, axis = [0, 1])", lambda x: x.max((0, 1))),
    ("prod(x, axis = [0, -1])", lambda x: x.prod((0, 2))),
    ("var(x, axis = 1)", lambda x: x.var(1, ddof=1)),
    ("var(x, correction = 0)", lambda x: x.var()),
    ("stddev(x, axis = [0, 2], keep = true)", lambda x: x.std((0, 2), ddof=1, keepdims=True)),
    ("norm(x, axis = 2)", lambda x: np.linalg.norm(x, axis=2)),
    ("norm(x, 3)", lambda x: (np.abs(x) ** 3).sum() ** (1 / 3)),
    ('norm(x, "inf", axis = 1)', lambda x: np.abs(x).max(1)),
    ("norm(x, 0, axis = 1)", lambda x: (x != 0).sum(1)),
    ("f32(any(x > 1.5, axis = 2))", lambda x: (x > 1.5).any(2)),
    ("f32(all(x > -1.5, axis = [1, 2]))", lambda x: (x > -1.5).all((1, 2))),
    ("sort(x, axis = 1)", lambda x: np.sort(x, 1)),
    ("sort(x, descending = true)", lambda x: -np.sort(-x)),
    ("top_k(x, 2, axis = 1)[0]", lambda x: -np.sort(-x, 1)[:, :2]),
    ("f32(top_k(x, 3)[1])", lambda x: np.argsort(-x, 2)[..., :3]),
    ("f32(argmin(x, axis = 1))", lambda x: x.argmin(1)),
    # elements
    ("clip(x, -0.5, 1)", lambda x: np.clip(x, -0.5, 1)),
    ("clip(x, low = 0)", lambda x: np.maximum(x, 0)),
    ("f32(clip(argmax(x, axis = 2), 1, 2))", lambda x: np.clip(x.argmax(2), 1, 2)),
    ("floor(x) + ceil(x) + floor(3 / 2)", lambda x: np.floor(x) + np.ceil(x) + 1),
    ("where(x > 0 and x < 1, 1, 0 * x)", lambda x: (x > 0) & (x < 1)),
    ("f32(x > 1 or x < 0 and x > -1 or false)", lambda x: (x > 1) | (x < 0) & (x > -1)),
    ("f32(true and not (x > 1))", lambda x: ~(x > 1)),
    ("f32(logical_xor(x > 0, x > 1))", lambda x: (x > 0) ^ (x > 1)),
    ("where(x != 0, 1 / x, 0)", lambda x: 1 / x),
    # images
    ("adaptive_avgpool(image, 1)", lambda image: image.mean((2, 3), keepdims=True)),
    ("adaptive_avgpool(image, (7, 5))", lambda image: image),
    ("adaptive_avgpool(image, (3, 2))", lambda image: np.stack([
        np.stack([image[:, :, a:b, c:d].mean((2, 3)) for c, d in ((0, 3), (2, 5))], -1)
        for a, b in ((0, 3), (2, 5), (4, 7))], 2)),
    ("resize(image, scale = 2)", lambda image: image.repeat(2, 2).repeat(2, 3)),
    ("resize(image, scale = (1, 3))", lambda image: image.repeat(3, 3)),
    # losses and metrics
    ("bce_logits(x, 1)", lambda x: np.log1p(np.exp(-x)).mean()),
    ("bce_logits(x, sigmoid(x), reduce = none)", lambda x: -(
        lambda t: t * np.log(t) + (1 - t) * np.log(1 - t))(1 / (1 + np.exp(-x)))),
    ("bce_logits(x, 0, reduce = sum)", lambda x: np.log1p(np.exp(x)).sum()),
    ("accuracy(x[_, 0], argmax(x[_, 0], axis = 1))", lambda x: np.ones(())),
    ("accuracy(x[_, 0], argmax(-x[_, 0], axis = 1), top = 3)", lambda x: np.zeros(())),
    ("accuracy(x[_, 0], argmax(-x[_, 0], axis = 1), top = 4)", lambda x: np.ones(())),
    ("accuracy(x, argmax(x, axis = 1), top = 2)", lambda x: np.ones(())),
    ("accuracy(x, argmax(x, axis = 1), ignore = 0)", lambda x: np.ones(())),
    ("accuracy(x, 0 * argmax(x, axis = 1), ignore = 0)", lambda x: np.zeros(())),
    ("accuracy(x, 3 * argmax(x * 0, axis = 1) + 1, top = 6, ignore = 2)", lambda x: np.ones(())),
    ("mse(x, 1)", lambda x: ((x - 1) ** 2).mean()),
    ("l1(x, 0, reduce = sum)", lambda x: np.abs(x).sum()),
    ("huber(x, 0 * x, delta = 0.5)", lambda x: np.where(
        np.abs(x) < 0.5, x * x / 2, 0.5 * (np.abs(x) - 0.25)).mean()),
    ("smooth_l1(x, 0, reduce = none)", lambda x: np.where(
        np.abs(x) < 1, x * x / 2, np.abs(x) - 0.5)),
    ("hinge(x, -1)", lambda x: np.maximum(0, 1 + x).mean()),
    ("nll(log_softmax(x, 1), argmax(x, axis = 1)) - cross_entropy(x, argmax(x, axis = 1))",
     lambda x: np.zeros(())),
    ('kl_div(log_softmax(x, 2), softmax(x, 2), reduce = "batchmean")', lambda x: np.zeros(())),
    ("bce(sigmoid(x), 1) - bce_logits(x, 1)", lambda x: np.zeros(())),
    ("cosine_embedding(x, -x, -1, margin = 0.5)", lambda x: np.zeros(())),
    ("triplet_margin(x, x, x + 1)", lambda x: np.zeros(())),
    # operators
    ("x % 2", lambda x: x % 2),
    ("x // 0.5", lambda x: x // 0.5),
    ("f32(argmax(x, axis = 2) % 3)", lambda x: x.argmax(2) % 3),
    ("matmul(x, transpose(y[_, _, 0..4])[0])", lambda x, y: x @ y[0, :, :4].T),
]


@pytest.mark.parametrize(("expression", "expected"), ROWS, ids=[row[0] for row in ROWS])
def test_a_word_gives_what_numpy_gives(expression, expected):
    wanted = expected.__code__.co_varnames[: expected.__code__.co_argcount]
    inputs = {name: {"x": X, "y": Y, "image": IMAGE}[name] for name in wanted}
    made = calculated(expression, **inputs)
    with np.errstate(all="ignore"):
        right = np.asarray(expected(**{n: a.astype(np.float64) for n, a in inputs.items()}))
    assert made.shape == right.shape
    np.testing.assert_allclose(made, right, 2e-5, 2e-5)


def test_a_cosine_of_vectors_of_unlike_length_is_refused():
    with pytest.raises(Refused, match="axis 1: 6 and 1 differ"):
        calculated("cosine(x, mean(x, axis = 1, keep = true), axis = 1)", x=X)


def test_a_padding_is_no_cut():
    with pytest.raises(Refused, match="at least 0"):
        calculated("pad(x, axis = 1, after = 0 - 1)", x=X)


def test_attention_sees_what_the_mask_and_the_order_allow():
    mask = np.array([[True] * 6, [True] * 3 + [False] * 3])
    made = calculated("attend(x, x, x, mask, heads = 2, causal = true)", x=X, mask=mask)
    heads = []
    for part in np.split(X.astype(np.float64), 2, axis=2):
        scores = part @ part.transpose(0, 2, 1) / np.sqrt(2)
        scores = np.where(mask[:, None] & np.tril(np.ones((6, 6), bool)), scores, -1e9)
        shares = np.exp(scores - scores.max(2, keepdims=True))
        heads.append(shares / shares.sum(2, keepdims=True) @ part)
    np.testing.assert_allclose(made, np.concatenate(heads, 2), 2e-5, 2e-5)


@pytest.mark.parametrize(("expression", "shape"), [
    ("prelu{}", ()), ("prelu{c = 6}", ()), ("rmsnorm{}", ()), ("layernorm{bias = false}", ()),
    ("groupnorm{groups = 3}", ()), ("weightnorm_linear{9}", (2, 6, 9)),
    ("deconv{5, 3, stride = 2, pad = 1, out_pad = 1}", (2, 5, 8)),
])
def test_layers_apply_to_three_axes(expression, shape):
    assert calculated(f"x -> {expression}", x=X).shape == (shape or X.shape)


def test_an_lstm_goes_on_from_the_states_it_gave():
    head, tail = X[:, :4], X[:, 4:]
    rnn = "lstm{5, layers = 2, final = true}"
    whole = [calculated(f"(x -> rnn: {rnn})[{i}]", x=X) for i in range(3)]
    y, h, c = (calculated(f"(x -> rnn: {rnn})[{i}]", x=head) for i in range(3))
    assert h.shape == c.shape == (2, 2, 5)
    h, c = h.transpose(1, 0, 2), c.transpose(1, 0, 2)  # what is fed has the batch first
    states = "transpose(h, axes = [1, 0, 2]), transpose(c, axes = [1, 0, 2])"
    later = [calculated(f"(x -> rnn: {rnn}({states}))[{i}]", x=tail, h=h, c=c) for i in range(3)]
    np.testing.assert_allclose(np.concatenate([y, later[0]], 1), whole[0], 1e-5, 1e-6)
    np.testing.assert_allclose(later[1], whole[1], 1e-5, 1e-6)
    np.testing.assert_allclose(later[2], whole[2], 1e-5, 1e-6)


@pytest.mark.parametrize("word", WORDS.values(), ids=str)
def test_every_word_documents_itself(word):
    first = word.doc.split("\n\n")[0]
    assert len(first) > 2 and first.rstrip().endswith((".", ":", ")")), word.doc


def test_prelu_is_a_relu_with_a_slope_of_a_quarter_at_first():
    np.testing.assert_allclose(calculated("x -> prelu{}", x=X), np.where(X > 0, X, X / 4))


def test_rows_of_a_weight_normalised_layer_have_length_one_at_first():
    made = calculated("x -> weightnorm_linear{40, bias = false}", x=np.eye(4, dtype=np.float32))
    np.testing.assert_allclose((made**2).sum(0), 1, 1e-5)


WAYS = [  # what is refused, why, and what works where the way out is followed
    ("blurpool(image, 3)", "is not a list", "blurpool(image, weights = [1, 2, 1])"),
    ("blurpool(image, weights = 4)", "is not a list", "blurpool(image, weights = [1, 3, 3, 1])"),
    ("blurpool(image, weights = [0, 0, 0])", "sum 0", "blurpool(image, weights = [1, 2, 1])"),
    ("blurpool(image, weights = [1, -1])", "sum 0", "blurpool(image, weights = [1, 2, 1])"),
    ("blurpool(image, weights = [])", "sum 0", "blurpool(image, weights = [1, 2, 1])"),
    ("x -> a: batchnorm{eps = -1}", "at least 0", "x -> a: batchnorm{eps = 0}"),
    ("x -> a: batchnorm{momentum = 2}", "between 0 and 1", "x -> a: batchnorm{momentum = 1}"),
    ("x -> a: layernorm{eps = -1}", "at least 0", "x -> a: layernorm{eps = 0}"),
    ("x -> a: rmsnorm{eps = -1}", "at least 0", "x -> a: rmsnorm{eps = 0}"),
    ("x -> a: groupnorm{2, eps = -1}", "at least 0", "x -> a: groupnorm{2, eps = 0}"),
    ("x -> a: instancenorm{eps = -1}", "at least 0", "x -> a: instancenorm{eps = 0}"),
    ("lrn(image, alpha = 0)", "above 0", "lrn(image, alpha = 1)"),
    ("lrn(image, beta = 0)", "above 0", "lrn(image, beta = 1)"),
    ("softplus(x, beta = 0)", "above 0", "softplus(x, beta = 1)"),
    ("celu(x, alpha = 0)", "must not be 0", "relu(x)"),
    ("hardtanh(x, 1, -1)", "nothing lies between", "hardtanh(x, low = -1, high = 1)"),
    ("clip(x, 1, 0)", "nothing lies between", "clip(x, low = 0, high = 1)"),
    ("flip(x, axis = (2, 2))", "stands twice", "flip(x, axis = 2)"),
    ("mean(x, axis = (1, -2, 2))", "stands twice", "mean(x, axis = [1, 2])"),
    ("var(x, axis = 2, correction = 4)", "nothing to divide by",
     "var(x, axis = 2, correction = 0)"),
    ("accuracy(x[_, 0], argmax(x[_, 0], axis = 1), top = 5)", "there are 4 classes",
     "accuracy(x[_, 0], argmax(x[_, 0], axis = 1), top = 2)"),
    ('einsum("bcl,bcl->bc", x, x)', "no operand has it", 'einsum("b c l, b c l -> b c", x, x)'),
    ('einsum("bcl -> bcl", x)', "1 axes are named", 'einsum("b c l -> b c l", x)'),
    ("mse(x, argmax(x, axis = 2))", "differ", "mse(x, one_hot(argmax(x, axis = 2), 4))"),
    ("bce_logits(x, argmax(x, axis = 2))", "differ",
     "bce_logits(x, one_hot(argmax(x, axis = 2), 4))"),
    ("hinge(x, argmax(x, axis = 2))", "differ",
     "hinge(x, 2 * one_hot(argmax(x, axis = 2), 4) - 1)"),
    ("mse(f64(x), argmax(x, axis = 2))", "differ",
     "mse(f64(x), one_hot(argmax(x, axis = 2), 4, f64))"),
    ('cross_entropy(x, argmax(x, axis = 1), reduction = "sum")', "no argument",
     'cross_entropy(x, argmax(x, axis = 1), reduce = "sum")'),
    ("cross_entropy(x, argmax(x, axis = 1), ignore_index = 2)", "no argument",
     "cross_entropy(x, argmax(x, axis = 1), ignore = 2)"),
    ("x -> cross_entropy(argmax(x, axis = 1), ignore_index = 2)", "no argument",
     "x -> cross_entropy(argmax(x, axis = 1), ignore = 2)"),
    ("CrossEntropyLoss(x, argmax(x, axis = 1))", "nothing is called",
     "cross_entropy(x, argmax(x, axis = 1))"),
    ("x -> a: linear{3, init = kaiming_normal()}", "nothing is called",
     "x -> a: linear{3, init = he_normal()}"),
    ("x -> a: linear{3, init = kaiming_uniform()}", "nothing is called",
     "x -> a: linear{3, init = he_uniform()}"),
    ("x + torch.zeros([2, 6, 4])", "nothing is called", "x + zeros([2, 6, 4])"),
    ("x -> a: linear{3, init = msra()}", "nothing is called",
     "x -> a: linear{3, init = he_normal()}"),
    ("x -> a: linear{3, init = glorot_normal()}", "nothing is called",
     "x -> a: linear{3, init = xavier_normal()}"),
    ("x -> a: linear{3, init = trunc_normal()}", "nothing is called",
     "x -> a: linear{3, init = truncated_normal()}"),
]


@pytest.mark.parametrize(("wrong", "reason", "right"), WAYS, ids=[row[0] for row in WAYS])
def test_what_is_refused_has_a_way_out(wrong, reason, right):
    inputs = {name: array for name, array in (("x", X), ("image", IMAGE)) if name in wrong}
    with pytest.raises(Refused) as refused:
        calculated(wrong, **inputs)
    problem, = refused.value.problems
    diagnostic = problem.describe()
    said = " ".join((diagnostic.message, *(mark.text or "" for mark in diagnostic.marks)))
    assert reason in said
    for way in re.findall("`([^`]+)`", diagnostic.suggestion or ""):
        assert way in right
    assert np.isfinite(calculated(right, **inputs)).all()


@pytest.mark.parametrize("word", ["confusion", "confusion_matrix"])
def test_a_table_of_confusions_is_what_evaluate_prints(word):
    with pytest.raises(Refused, match="`netdsl evaluate` prints which classes"):
        calculated(f"{word}(x)", x=X)


def test_weights_of_another_length_are_marked_and_not_the_scores():
    with pytest.raises(Refused) as refused:
        calculated("cross_entropy(x[_, 0], argmax(x[_, 0], axis = 1), weight = [1, 2])", x=X)
    marks = refused.value.problems[0].describe().marks
    assert [mark.span.text for mark in marks] == ["[1, 2]"]
