"""Convolutions, pools and norms as users meet them: what the words promise beyond the numbers that
`tests/ops` and `tests/peer` check."""

from __future__ import annotations

from collections.abc import Callable
from itertools import cycle, product
from pathlib import Path

import numpy as np
import pytest

import netdsl
from netdsl.diagnostics import Refused

DRAW = np.random.default_rng(8)


@pytest.fixture
def model(tmp_path: Path) -> Callable[..., netdsl.Model]:
    """model("f32[B, 3, 8, 8]", "conv{4, 3}") is the network of one word, labelled `word` if it is
    a layer; without a word, lines follow."""

    def made(type: str, word: str, *lines: str) -> netdsl.Model:
        label = "word: " if "{" in word else ""
        body = "\n".join(lines or (f"output y = x -> {label}{word}",))
        path = tmp_path / "one.net"
        path.write_text(f"model One {{\ninput x: {type}\n{body}\n}}\n")
        return netdsl.load(path)

    return made


def drawn(*shape: int) -> np.ndarray:
    return DRAW.normal(size=shape)


def run(network: netdsl.Model, x: np.ndarray, **weights: np.ndarray) -> np.ndarray:
    """The output, in double precision; parameters by their last names, others drawn."""
    given = network.initialize(1) | {
        name: weights[name.rpartition(".")[2]] for name in network.parameters
        if name.rpartition(".")[2] in weights
    }
    return network.run({"x": x}, given, dtype="f64")["y"]


# ------------------------------------------------------------------ same


SIZES = tuple(product((1, 5, 6), (2, 3, 4), (1, 2, 3)))  # n, k, stride


def test_same_is_onnx_same(model):
    """Over all small windows: ⌈n / stride⌉ places, and the numbers of ONNX Runtime's SAME_UPPER
    and SAME_LOWER."""
    import onnxruntime
    from onnx import helper

    names = {"UPPER": "same", "LOWER": "same_lower"}
    for (n, k, stride), side in zip(SIZES, cycle(names)):
        network = model(f"f32[B, 2, {n}]", f"conv{{1, {k}, stride = {stride}, "
                                           f"pad = {names[side]}, bias = false}}")
        x, weight = drawn(2, 2, n), drawn(1, 2, k)
        node = helper.make_node("Conv", ["x", "w"], ["y"], auto_pad=f"SAME_{side}",
                                strides=[stride])
        types = [helper.make_tensor_value_info(name, 1, None) for name in ("x", "w", "y")]
        graph = helper.make_graph([node], "same", types[:2], types[2:])
        onnx_model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)],
                                       ir_version=8)
        session = onnxruntime.InferenceSession(
            onnx_model.SerializeToString(), providers=["CPUExecutionProvider"])
        theirs, = session.run(None, {"x": x.astype("f4"), "w": weight.astype("f4")})
        ours = run(network, x, weight=weight)
        assert ours.shape[2] == -(-n // stride)
        np.testing.assert_allclose(ours, theirs, 1e-5, 1e-5, err_msg=str((n, k, stride, side)))


@pytest.mark.parametrize("stride", (1, 2, 3))
def test_same_counts_the_gaps_of_a_dilated_window(model, stride):
    for n in range(1, 9):
        network = model(f"f32[B, 1, {n}]", f"conv{{1, 3, stride = {stride}, dilation = 2, "
                                           "pad = same}")
        assert network.outputs["y"].shape[2] == -(-n // stride)


@pytest.mark.parametrize(("word", "size"), [
    ("conv{4, 3, stride = 2, pad = same}", "H // 2"), ("maxpool(2, pad = same)", "H // 2"),
    ("conv{4, 5, stride = 1, pad = same_lower}", "H"), ("conv{4, 1, stride = 3, pad = same}", None),
    ("avgpool(3, stride = 1, pad = same)", "H"), ("deconv{4, 3, stride = 2, pad = same}", "2 * H"),
])
def test_same_takes_free_sizes_that_settle_it(model, word, size, tmp_path):
    label = "word: " if "{" in word else ""
    network = model("f32[B, 3, H, 6]", "", 'assert H % 2 == 0 else "even"',
                    f"output y = x -> {label}{word}")
    shape = network.outputs["y"].shape
    assert size is None or str(shape[2]) == size
    y = run(network, drawn(2, 3, 4, 6))
    known = run(model("f32[B, 3, 4, 6]", word), drawn(2, 3, 4, 6))
    assert y.shape == known.shape
    network.to_onnx(tmp_path / "same.onnx", network.initialize(0))  # verified as it is written


@pytest.mark.parametrize("word", ["conv{4, 3, stride = 2, pad = same}", "maxpool(2, pad = same)"])
def test_same_that_depends_on_a_free_size_says_how_to_settle_it(model, word):
    with pytest.raises(Refused) as refused:
        model("f32[B, 3, H, 6]", word)
    told = refused.value.problems[0].describe()
    assert "the padding `same` depends on H % 2" in told.message
    assert told.suggestion == '`assert H % 2 == 0 else "…"` above it'


# ------------------------------------------------------------------ convolution


def full(model, x: np.ndarray, kernel: np.ndarray) -> np.ndarray:
    """The true convolution of two images: every place where they overlap."""
    pads = ", ".join(str(n - 1) for n in kernel.shape)
    sizes = ", ".join(map(str, x.shape))
    network = model(f"f32[B, 1, {sizes}]", f"conv{{1, {kernel.shape}, pad = ({pads}), "
                                           "flip = true, bias = false}")
    return run(network, x[None, None], weight=kernel[None, None])[0, 0]


def test_a_flipped_convolution_commutes_and_associates(model):
    x, k, m = drawn(5, 4), drawn(2, 3), drawn(3, 2)
    np.testing.assert_allclose(full(model, x, k), full(model, k, x), 1e-12, 1e-12)
    np.testing.assert_allclose(full(model, full(model, x, k), m), full(model, x, full(model, k, m)),
                               1e-12, 1e-12)
    np.testing.assert_allclose(full(model, x, k)[0, 0], x[0, 0] * k[0, 0])


def test_cross_correlation_is_the_convolution_of_the_kernel_turned_round(model):
    x, weight = drawn(2, 3, 6, 5), drawn(4, 3, 3, 2)
    plain = model("f32[B, 3, 6, 5]", "conv{4, (3, 2), bias = false}")
    turned = model("f32[B, 3, 6, 5]", "conv{4, (3, 2), bias = false, flip = true}")
    first = run(plain, x, weight=weight)
    np.testing.assert_allclose(first, run(turned, x, weight=weight[:, :, ::-1, ::-1]), 1e-12)
    assert not np.allclose(first, run(turned, x, weight=weight))


def test_a_convolution_of_single_pixels_is_a_weighted_pool_over_depth(model):
    x, weight = drawn(2, 3, 4, 5), drawn(6, 3)
    y = run(model("f32[B, 3, 4, 5]", "conv{6, bias = false}"), x, weight=weight[:, :, None, None])
    depth = (weight[None, :, :, None, None] * x[:, None]).sum(2)  # Σ over channels, at each place
    np.testing.assert_allclose(y, depth, 1e-12, 1e-12)
    last = model("f32[B, 3, 4, 5]", "", "t = transpose(x, [0, 2, 3, 1])",
                 "z = t -> word: linear{6, bias = false}", "output y = transpose(z, [0, 3, 1, 2])")
    np.testing.assert_allclose(run(last, x, weight=weight), depth, 1e-12, 1e-12)


LOCAL = "local_conv{4, 3, stride = 2, pad = 1}"


def test_a_local_convolution_of_equal_kernels_is_a_convolution(model):
    x, weight, bias = drawn(2, 3, 6, 5), drawn(4, 3, 3, 3), drawn(4)
    shared = run(model("f32[B, 3, 6, 5]", LOCAL.replace("local_", "")), x, weight=weight, bias=bias)
    network = model("f32[B, 3, 6, 5]", LOCAL)
    places = weight.repeat(9, axis=0)  # each kernel for its 3 x 3 places
    own = run(network, x, weight=places, bias=np.broadcast_to(bias[:, None, None], (4, 3, 3)))
    np.testing.assert_allclose(own, shared, 1e-12, 1e-12)


def test_a_local_convolution_counts_what_it_holds_and_does(model, tmp_path):
    network = model("f32[B, 3, 6, 5]", LOCAL)
    shapes = {name.rpartition(".")[2]: type.shape for name, type in network.parameters.items()}
    assert shapes == {"weight": (4 * 9, 3, 3, 3), "bias": (4, 3, 3)}
    shared = model("f32[B, 3, 6, 5]", LOCAL.replace("local_", ""))
    counted = [each.summary().inference.macs for each in (network, shared)]
    assert counted == [4 * 9 * 27] * 2
    network.to_onnx(tmp_path / "local.onnx", network.initialize(0))  # verified, its batch free


# ------------------------------------------------------------------ pools


def test_p_norms_go_from_sums_to_the_maximum(model):
    x = np.abs(drawn(2, 3, 4, 6))
    total = run(model("f32[B, 3, 4, 6]", "lppool(2, p = 1)"), x)
    mean = run(model("f32[B, 3, 4, 6]", "avgpool(2)"), x)
    largest = run(model("f32[B, 3, 4, 6]", "maxpool(2)"), x)
    np.testing.assert_allclose(total, 4 * mean, 1e-12)
    many = run(model("f32[B, 3, 4, 6]", "lppool(2, p = 200)"), x)
    np.testing.assert_allclose(many, largest, 0.01)


@pytest.mark.parametrize("word", ["blurpool", "blurpool([1, 3, 3, 1], stride = 1)",
                                  "blurpool([1, 4, 6, 4, 1], stride = 3, pad = 0)"])
def test_blurring_leaves_an_even_image_even(model, word):
    x = np.full((1, 2, 7, 5), 3.0)
    np.testing.assert_allclose(run(model("f32[B, 2, H, W]", word), x), 3, 1e-12)


def test_blurring_moves_little_when_the_image_moves(model):
    """What Zhang 2019 is about: stripes of one pixel vanish or not by where they lie, unless they
    are blurred first."""
    stripes = np.tile([1.0, 0.0], 8)[None, None]
    there, moved = (run(model("f32[B, 1, 15]", "maxpool(1, stride = 2)"), x)
                    for x in (stripes[..., :15], stripes[..., 1:]))
    assert np.abs(there - moved).min() == 1
    there, moved = (run(model("f32[B, 1, 15]", "blurpool"), x)
                    for x in (stripes[..., :15], stripes[..., 1:]))
    assert np.abs(there - moved)[..., 1:-1].max() < 1e-12


@pytest.mark.parametrize("word", ["adaptive_avgpool(2)", "adaptive_maxpool((4, 1))"])
def test_adaptive_pools_take_free_sizes_that_divide(model, word):
    x = drawn(2, 3, 8, 4)
    free = model("f32[B, 3, H, W]", "", 'assert H % 4 == 0 and W % 4 == 0 else "fours"',
                 f"output y = x -> {word}")
    np.testing.assert_allclose(run(free, x), run(model("f32[B, 3, 8, 4]", word), x), 1e-12)
    with pytest.raises(Refused, match="is not known"):
        model("f32[B, 3, H, W]", word)


def test_a_window_of_gaps_must_meet_the_input(model):
    assert run(model("f32[B, 1, 1]", "maxpool(3, stride = 1, dilation = 2, pad = 2)"),
               np.full((1, 1, 1), -5.0)) == -5
    with pytest.raises(Refused, match="holds padding alone"):
        model("f32[B, 1, 1]", "maxpool(2, stride = 1, dilation = 2, pad = 1)")


# ------------------------------------------------------------------ norms and dropout


def test_a_residual_network_with_zero_scales_begins_as_the_identity(model):
    lines = [
        "block: for (i in 0..3) {",
        "main = x -> c1: conv{4, 3, pad = same} -> n1: batchnorm{} -> relu",
        "main = main -> c2: conv{4, 3, pad = same} -> n2: NORM",
        "x = x + main", "}", "output y = x",
    ]
    x = drawn(3, 4, 5, 5)
    for norm in ("batchnorm{init = zeros()}", "groupnorm{2, init = zeros()}",
                 "instancenorm{affine = true, init = zeros()}"):
        network = model("f32[B, 4, 5, 5]", "", *[line.replace("NORM", norm) for line in lines])
        weights = network.initialize(0)
        for phase in ("infer", "train"):
            made = network.run({"x": x}, weights, phase, "y", dtype="f64")["y"]
            np.testing.assert_array_equal(made, x)


def test_a_batch_of_one_value_is_refused_in_training_alone(model):
    network = model("f32[B, 3]", "", "n = x -> n: batchnorm{}", "output y = n",
                    "loss l = mean(n * n)")
    weights = network.initialize(0)
    assert network.run({"x": drawn(1, 3)}, weights)["y"].shape == (1, 3)
    assert np.isfinite(network.gradients({"x": drawn(2, 3)}, weights)[0]["l"])
    with pytest.raises(Refused, match="more than one value for each channel: a larger batch"):
        network.gradients({"x": drawn(1, 3)}, weights)


def test_instances_are_groups_of_one_channel(model):
    x = drawn(2, 4, 3, 5)
    np.testing.assert_allclose(run(model("f32[B, 4, 3, 5]", "instancenorm{}"), x),
                               run(model("f32[B, 4, 3, 5]", "groupnorm{4}"), x), 1e-12)


def test_alexnets_response_norm(model):
    """Krizhevsky et al. 2012, section 3.3, as written there: n = 5, k = 2, α = 1e-4, β = 0.75."""
    x = 40 * drawn(1, 7, 2, 2)
    y = run(model("f32[B, 7, 2, 2]", "lrn(5, alpha = 5e-4, k = 2)"), x)
    for i in range(7):
        near = x[:, max(0, i - 2) : min(6, i + 2) + 1]
        expected = x[:, i] / (2 + 1e-4 * (near**2).sum(1)) ** 0.75
        np.testing.assert_allclose(y[:, i], expected, 1e-12)


@pytest.mark.parametrize("word", [
    "conv{4, (3, 2), flip = true}", "flip(axis = [1, -1])", "lrn(3)", "lrn(4, alpha = 1, k = 2)",
    "blurpool(stride = 3)", "groupnorm{2, affine = false}", "layernorm{axes = 2}",
    "batchnorm{affine = false}", "lppool(3, p = 3, stride = 2, pad = 1, ceil = true)",
    "global_lppool(3)", "adaptive_maxpool((3, 2))",
])
def test_words_that_onnx_lacks_are_exported(model, word, tmp_path):
    network = model("f32[B, 4, 5, 4]", word)
    network.to_onnx(tmp_path / "word.onnx", network.initialize(0))  # verified as it is written


def test_classic_dropout_is_the_inverted_one_with_other_weights(model):
    """Srivastava et al. 2014 keep activations in training and scale weights by 1 - p when they are
    used; `dropout` divides in training. With weights (1 - p) w, the same network."""
    p, x, weight = 0.4, drawn(64, 50), drawn(3, 50)
    classic = model("f32[B, 50]", "", f"kept = dropout(x, {p}) * (1 - {p})",
                    "output y = kept -> word: linear{3, bias = false}")
    inverted = model("f32[B, 50]", "", f"kept = dropout(x, {p})",
                     "output y = kept -> word: linear{3, bias = false}")
    for phase in ("train", "infer"):
        first = classic.run({"x": x}, {"word.weight": weight}, phase, "y", dtype="f64")["y"]
        second = inverted.run({"x": x}, {"word.weight": (1 - p) * weight}, phase, "y",
                              dtype="f64")["y"]
        np.testing.assert_allclose(first, second, 1e-12, 1e-12)
    kept = classic.run({"x": x}, {"word.weight": weight}, "train", "kept", dtype="f64")["kept"]
    np.testing.assert_allclose(kept, np.where(kept != 0, x, 0), 1e-12)  # nothing is scaled
    np.testing.assert_allclose(first, (1 - p) * x @ weight.T, 1e-12, 1e-12)  # but in inference
    draws = [classic.run({"x": x}, {"word.weight": weight}, "train", "y", seed=s, dtype="f64")["y"]
             for s in range(200)]
    spread = np.std(draws, axis=0) / np.sqrt(len(draws))
    assert (np.abs(np.mean(draws, axis=0) - first) < 5 * spread).all()  # the expectation
