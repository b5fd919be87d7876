"""Losses and reductions against PyTorch's, in float64: values and gradients, in every reduction,
at the kinks, with ties, zeros and infinities. Each row is an expression of ours, what PyTorch has
for it, and the operands."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from itertools import product
from types import SimpleNamespace
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from opinfo_judge import check_numbers

INF = float("inf")
REDUCTIONS = ("mean", "sum", "none")


@dataclass(frozen=True)
class Row:
    """`ours` names the operands {0}, {1} …"""

    name: str
    ours: str
    theirs: Callable[..., Any]
    operands: tuple[Tensor, ...]

    def __call__(self, *operands: Tensor) -> Any:
        return self.theirs(*operands)

    def __str__(self) -> str:
        return self.name


def floats(*shape: int, low: float = -2.0, high: float = 2.0, seed: int = 0) -> Tensor:
    drawn = torch.rand(shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
    return (low + (high - low) * drawn).requires_grad_()


def listed(*numbers: float) -> Tensor:
    return torch.tensor(numbers, dtype=torch.float64).requires_grad_()


def fixed(x: Tensor) -> Tensor:
    return x.detach()


def labels(*shape: int, below: int, ignored: int | None = None, seed: int = 1) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    drawn = torch.randint(0, below, shape, generator=generator)
    if ignored is not None:
        drawn[torch.rand(shape, generator=generator) < 0.4] = ignored
    return drawn


# ------------------------------------------------------------------ labels


WEIGHTS = (0.5, 0.0, 2.0, 1.25)
PLACES = (  # shape, that of the rows, the axis of the classes
    ((5, 4), (5,), 1), ((2, 4, 3, 2), (2, 3, 2), 1), ((2, 3, 4), (2, 3), 2), ((1, 4), (1,), 1),
)


def labelled() -> Iterator[Row]:
    """cross_entropy and nll under every combination of what they take."""
    for (shape, rows, axis), weight, ignored, smooth, reduce in product(
        PLACES, (None, WEIGHTS), (None, -100, 2), (0.0, 0.1), REDUCTIONS
    ):
        said = f"axis = {axis}, reduce = {reduce}"
        said += "" if weight is None else f", weight = {list(weight)}"
        said += "" if ignored is None else f", ignore = {ignored}"
        vector = None if weight is None else torch.tensor(weight, dtype=torch.float64)
        taken = {"weight": vector, "reduction": reduce,
                 "ignore_index": -100 if ignored is None else ignored}
        label = labels(*rows, below=4, ignored=ignored)
        label.view(-1)[0] = 3  # one counts

        def in_front(function, x, label, axis=axis, **taken):
            return function(x.movedim(axis, 1), label, **taken)

        yield Row(
            f"cross_entropy {shape} {said} {smooth}",
            f"cross_entropy({{0}}, {{1}}, smooth = {smooth}, {said})",
            partial(in_front, F.cross_entropy, label_smoothing=smooth, **taken),
            (floats(*shape), label),
        )
        if not smooth:
            yield Row(f"nll {shape} {said}", f"nll({{0}}, {{1}}, {said})",
                      partial(in_front, F.nll_loss, **taken), (floats(*shape), label))


def distributions() -> Iterator[Row]:
    for shape, weight, smooth, reduce in product(
        ((5, 4), (2, 4, 3)), (None, WEIGHTS), (0.0, 0.2), REDUCTIONS
    ):
        said = f"smooth = {smooth}, reduce = {reduce}"
        said += "" if weight is None else f", weight = {list(weight)}"
        vector = None if weight is None else torch.tensor(weight, dtype=torch.float64)
        target = torch.softmax(floats(*shape, seed=2).detach(), 1).requires_grad_()
        yield Row(f"cross_entropy of distributions {shape} {said}",
                  f"cross_entropy({{0}}, {{1}}, {said})",
                  partial(F.cross_entropy, weight=vector, label_smoothing=smooth,
                          reduction=reduce), (floats(*shape), target))


# ------------------------------------------------------------------ numbers and vectors


def shares(*shape: int, seed: int = 0) -> Tensor:
    return floats(*shape, low=0.01, high=0.99, seed=seed)


def hinge(x: Tensor, target: Tensor, margin: float, reduction: str) -> Tensor:
    losses = (margin - target * x).clamp(min=0)
    return losses if reduction == "none" else getattr(losses, reduction)()


SIGNS = torch.tensor([1.0, -1.0, 1.0, -1.0, 1.0], dtype=torch.float64)
PAIRS: tuple[tuple[str, Callable[..., Tensor], tuple[Tensor, ...]], ...] = (
    ("mse({0}, {1}", F.mse_loss, (floats(5, 3), floats(5, 3, seed=1))),
    ("mse({0}, {1}", F.mse_loss, (floats(2, 1, 4), floats(2, 1, 4, seed=1))),
    ("l1({0}, {1}", F.l1_loss, (floats(5, 3), floats(5, 3, seed=1))),
    ("l1({0}, {1}", F.l1_loss, (listed(1, 2, 3), listed(1, 2, 4))),
    ("huber({0}, {1}", F.huber_loss, (floats(5, 3), floats(5, 3, seed=1))),
    ("huber({0}, {1}, delta = 0.3", partial(F.huber_loss, delta=0.3),
     (floats(7), floats(7, seed=1))),
    ("huber({0}, {1}", F.huber_loss, (listed(-3, -1, 0, 1, 2.5), listed(0, 0, 0, 0, 0))),
    ("smooth_l1({0}, {1}", F.smooth_l1_loss, (floats(5, 3), floats(5, 3, seed=1))),
    ("smooth_l1({0}, {1}, beta = 0.3", partial(F.smooth_l1_loss, beta=0.3),
     (floats(7), floats(7, seed=1))),
    ("smooth_l1({0}, {1}", F.smooth_l1_loss, (listed(-3, -1, 0, 1, 2.5), listed(0, 0, 0, 0, 0))),
    ("smooth_l1({0}, {1}, beta = 0", partial(F.smooth_l1_loss, beta=0.0),
     (floats(4), floats(4, seed=1))),
    ("hinge({0}, {1}", partial(hinge, margin=1.0), (floats(5), SIGNS)),
    ("hinge({0}, {1}, margin = 0.2", partial(hinge, margin=0.2), (listed(0.2, 0, -0.2), SIGNS[:3])),
    ("bce({0}, {1}", F.binary_cross_entropy, (shares(5, 3), shares(5, 3, seed=1))),
    # values alone: PyTorch holds the 1e-12 of the gradient in float32
    ("bce({0}, {1}", F.binary_cross_entropy,
     (fixed(listed(0, 1, 0, 1, 1e-60)), fixed(listed(0, 1, 1, 0, 1)))),
    ("bce_logits({0}, {1}", F.binary_cross_entropy_with_logits,
     (floats(5, 3, low=-9, high=9), shares(5, 3, seed=1))),
    ("bce_logits({0}, {1}", F.binary_cross_entropy_with_logits,
     (listed(1000, -1000, 1000, -1000, 0), fixed(listed(1, 0, 0, 1, 0.5)))),
    ("bce_logits({0}, {1}, pos_weight = [0.5, 1, 3]", partial(
        F.binary_cross_entropy_with_logits,
        pos_weight=torch.tensor([0.5, 1, 3], dtype=torch.float64)),
     (floats(5, 3), shares(5, 3, seed=1))),
    ("bce_logits({0}, {1}, pos_weight = 3", partial(
        F.binary_cross_entropy_with_logits, pos_weight=torch.tensor(3.0, dtype=torch.float64)),
     (listed(1000, -1000, 1000, -1000, 0), fixed(listed(1, 0, 0, 1, 0.5)))),
    ("kl_div({0}, {1}", F.kl_div, (floats(5, 3), shares(5, 3, seed=1))),
    ("kl_div({0}, {1}", F.kl_div, (floats(3), fixed(listed(0, 0.25, 0.75)))),
    ("kl_div({0}, {1}, log_target = true", partial(F.kl_div, log_target=True),
     (floats(5, 3), floats(5, 3, seed=1))),
    ("cosine_embedding({0}, {1}, {2}", F.cosine_embedding_loss,
     (floats(5, 3), floats(5, 3, seed=1), SIGNS)),
    ("cosine_embedding({0}, {1}, {2}, margin = 0.3", partial(F.cosine_embedding_loss, margin=0.3),
     (floats(5, 3), floats(5, 3, seed=1), SIGNS)),
    ("triplet_margin({0}, {1}, {2}", F.triplet_margin_loss,
     (floats(5, 3), floats(5, 3, seed=1), floats(5, 3, seed=2))),
    ("triplet_margin({0}, {1}, {2}, margin = 0.3, p = 1, swap = true", partial(
        F.triplet_margin_loss, margin=0.3, p=1, swap=True),
     (floats(5, 3), floats(5, 3, seed=1), floats(5, 3, seed=2))),
)


def pairs() -> Iterator[Row]:
    for i, ((text, theirs, operands), reduce) in enumerate(product(PAIRS, REDUCTIONS)):
        yield Row(f"{text}) {i // 3} {reduce}", f"{text}, reduce = {reduce})",
                  partial(theirs, reduction=reduce), operands)
    yield Row("kl_div of a batch", 'kl_div({0}, {1}, reduce = "batchmean")',
              partial(F.kl_div, reduction="batchmean"), (floats(5, 3), shares(5, 3, seed=1)))


# ------------------------------------------------------------------ reductions

TIED = torch.tensor([[1.0, 2, 2], [0, 0, 0], [-3, 3, 1]], dtype=torch.float64).requires_grad_()
MASKED = torch.tensor([[1.0, -INF], [-INF, 3.0]], dtype=torch.float64).requires_grad_()
ALL_MASKED = torch.full((2, 2), -INF, dtype=torch.float64)
REDUCED: tuple[tuple[str, Callable[..., Tensor], tuple[Tensor, ...]], ...] = (
    ("max({0}, axis = 1)", lambda x: x.amax(1), (TIED,)),
    ("min({0}, axis = [0, 1])", lambda x: x.amin((0, 1)), (TIED,)),
    ("prod({0}, axis = 1)", lambda x: x.prod(1), (TIED,)),
    ("prod({0})", torch.prod, (listed(2, 0, -3, 0.5),)),
    ("prod({0})", torch.prod, (listed(2, 0, 0, 5),)),
    ("prod({0}, axis = [0, -1], keep = true)", lambda x: x.prod(0, True).prod(2, True),
     (floats(2, 3, 4),)),
    ("var({0}, axis = 1)", lambda x: x.var(1), (floats(3, 4),)),
    ("var({0}, axis = [0, 2], correction = 0, keep = true)",
     lambda x: x.var((0, 2), correction=0, keepdim=True), (floats(2, 3, 4),)),
    ("var({0}, correction = 2)", lambda x: x.var(correction=2), (floats(5),)),
    ("stddev({0}, axis = 1)", lambda x: x.std(1), (TIED,)),
    ("cumprod({0}, axis = 1)", lambda x: x.cumprod(1), (TIED,)),
    ("cumprod({0}, axis = 0)", lambda x: x.cumprod(0), (listed(2, 0, -3, 0, 1.5),)),
    ("logsumexp({0}, axis = 1)", lambda x: x.logsumexp(1), (MASKED,)),
    ("logsumexp({0}, axis = 1)", lambda x: x.logsumexp(1), (ALL_MASKED,)),
    ("logsumexp({0})", lambda x: x.logsumexp(0), (listed(1000, 999, -1000),)),
    ("logsumexp({0})", lambda x: x.logsumexp(0), (fixed(listed(INF, 1)),)),
    ("softmax({0}, axis = 1)", lambda x: x.softmax(1), (MASKED,)),
    ("log_softmax({0}, axis = 1)", lambda x: x.log_softmax(1), (MASKED,)),
    ("softmax({0}, axis = 0)", lambda x: x.softmax(0), (listed(1000, 999, -1000),)),
    ("log_softmax({0}, axis = 0)", lambda x: x.log_softmax(0), (listed(1000, 999, -1000),)),
    ("sort({0}, axis = 1)", lambda x: torch.sort(x, dim=1, stable=True).values, (TIED,)),
    ("sort({0}, axis = 0, descending = true)",
     lambda x: torch.sort(x, dim=0, descending=True, stable=True).values, (floats(3, 2, 2),)),
    ("argsort({0}, axis = 1, descending = true)",
     lambda x: torch.sort(x, dim=1, descending=True, stable=True).indices, (TIED,)),
    ("top_k({0}, 2, axis = 1)", lambda x: tuple(x.topk(2, 1)), (floats(3, 4, 2),)),
    ("any({0} > 1, axis = 1)", lambda x: (x > 1).any(1), (TIED,)),
    ("all({0} == 0, axis = 1, keep = true)", lambda x: (x == 0).all(1, keepdim=True), (TIED,)),
    ("maximum({0}, {1})", torch.maximum, (listed(1, 2, 3), listed(1, 5, 0))),
    ("minimum({0}, {1})", torch.minimum, (listed(1, 2, 3), listed(1, 5, 0))),
    ("clip({0}, 0, 1)", lambda x: x.clamp(0, 1), (listed(-1, 0, 0.5, 1, 2),)),
    ("clip({0}, high = 1)", lambda x: x.clamp(max=1), (listed(-1, 0, 0.5, 1, 2),)),
    ("{0} ** 2", lambda x: x**2, (listed(-1, 0, 2),)),
    ("{0} ** 0", lambda x: x**0, (listed(-1, 0, 2),)),
    ("{0} ** 0.5", lambda x: x**0.5, (listed(0.25, 0, 2),)),
    ("{0} ** {1}", torch.pow, (listed(0, 0, 2, 0), listed(2, 0, 0, 0.5))),
)
NORMS = tuple(
    (f"norm({{0}}, {said}, axis = 1)", partial(torch.linalg.vector_norm, ord=p, dim=1), (x,))
    for said, p in (("0", 0), ("0.5", 0.5), ("1", 1), ("1.5", 1.5), ("2", 2), ("3", 3),
                    ('"inf"', INF))
    for x in (TIED, floats(3, 4), floats(2, 3, 2))
)
KINKS = tuple(
    (f"{word}({{0}})", function, (listed(-6, -3, -1, 0, 1, 3, 6),))
    for word, function in (
        ("relu", F.relu), ("relu6", F.relu6), ("hardtanh", F.hardtanh),
        ("hard_swish", F.hardswish), ("elu", F.elu), ("celu", F.celu), ("selu", F.selu),
        ("leaky_relu", F.leaky_relu), ("abs", torch.abs), ("sign", torch.sign),
        ("floor", torch.floor), ("ceil", torch.ceil), ("round", torch.round),
    )
)


def reduced() -> Iterator[Row]:
    for i, (text, theirs, operands) in enumerate((*REDUCED, *NORMS, *KINKS)):
        yield Row(f"{text} {i}", text, theirs, operands)


ROWS = (*labelled(), *distributions(), *pairs(), *reduced())


@pytest.mark.parametrize("row", ROWS, ids=str)
def test_values_and_gradients_are_pytorchs(row):
    first, *others = row.operands
    sample = SimpleNamespace(input=first, args=tuple(others), kwargs={})

    def said(*operands: Any) -> str | tuple[str, ...]:
        text = row.ours.format(*operands)
        return (f"{text}[0]", f"{text}[1]") if text.startswith("top_k") else text

    check_numbers(row, sample, said)


def test_a_loss_that_differs_by_a_millionth_is_found():
    row = Row("mse", "mse({0}, {1})", lambda x, y: F.mse_loss(x, y) * (1 + 1e-6),
              (floats(3), floats(3, seed=1)))
    with pytest.raises(AssertionError, match="result 0"):
        test_values_and_gradients_are_pytorchs(row)
