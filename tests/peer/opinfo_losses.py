"""PyTorch's losses in our language: name -> what a sample's arguments become."""

from __future__ import annotations

from math import log, pi

from opinfo_phrases import Operand, fitted, flag, number, reshaped, unsaid, widened


def reduced(reduction: str) -> str:
    unsaid(reduction == "batchmean", "a mean over the batch alone")
    return f"reduce = {reduction}"


def gathered(text: str, reduction: str) -> str:
    """What the language says of a loss that it has no word for."""
    return text if reduction == "none" else f"{reduction}({text})"


# ------------------------------------------------------------------ labels


def of_labels(word: str):
    """Labels or distributions; PyTorch ignores the label -100 unless told otherwise."""

    def row(
        x, target, weight=None, size_average=None, ignore_index=-100, reduce=None,
        reduction="mean", label_smoothing=0.0,
    ):
        unsaid(not x.rank, "a single number in place of classes")
        numbers = [f"axis = {min(1, x.rank - 1)}", reduced(reduction)]
        if weight is not None:
            numbers.append(f"weight = {weight}")
        if not target.tensor.is_floating_point() and (target.tensor == ignore_index).any():
            numbers.append(f"ignore = {number(ignore_index)}")
        if label_smoothing:
            numbers.append(f"smooth = {number(label_smoothing)}")
        return f"{word}({x}, {target}, {', '.join(numbers)})"

    return row


def bce(p, target, weight=None, size_average=None, reduce=None, reduction="mean"):
    if weight is None:
        return f"bce({p}, {target}, {reduced(reduction)})"
    return gathered(f"{widened(weight, p.rank)} * bce({p}, {target}, reduce = none)", reduction)


def bce_logits(
    x, target, weight=None, size_average=None, reduce=None, reduction="mean", pos_weight=None
):
    numbers = "" if pos_weight is None else f", pos_weight = {pos_weight}"
    if weight is None:
        return f"bce_logits({x}, {target}, {reduced(reduction)}{numbers})"
    losses = f"bce_logits({x}, {target}, reduce = none{numbers})"
    return gathered(f"{widened(weight, x.rank)} * {losses}", reduction)


# ------------------------------------------------------------------ numbers


def pair(word: str, *settings: str):
    """A loss of two tensors of one shape, with numbers of its own: huber(x, y, delta = 2)."""

    def row(x, target, *, reduction="mean", **others):
        unsaid(set(others) - set(settings), "a loss weighted element by element")
        numbers = [f"{name} = {number(value)}" for name, value in others.items()]
        return f"{word}({', '.join([*map(str, (x, target)), *numbers, reduced(reduction)])})"

    return row


def kl_div(x, target, *, reduction="mean", log_target=False):
    reduce = '"batchmean"' if reduction == "batchmean" else reduction
    return f"kl_div({x}, {target}, log_target = {flag(log_target)}, reduce = {reduce})"


def hinge_embedding(x, target, *, margin=1.0, reduction="mean"):
    left, side = fitted(x, target)
    far = f"clip({number(margin)} - {left}, low = 0)"
    text = f"where({side} == -1, 0, {left}) + where({side} == 1, 0, {far})"
    return gathered(f"({text})", reduction)


def margin_ranking(x, y, target, *, margin=0.0, reduction="mean"):
    first, second, side = fitted(x, y, target)
    return gathered(f"clip({number(margin)} - {side} * ({first} - {second}), low = 0)", reduction)


def soft_margin(x, target, *, reduction="mean"):
    return gathered(f"softplus(-{target} * {x})", reduction)


def poisson_nll(x, target, *, log_input=True, full=False, eps=1e-8, reduction="mean"):
    if log_input:
        text = f"exp({x}) - {target} * {x}"
    else:
        text = f"{x} - {target} * log({x} + {number(eps)})"
    if full:
        many = f"maximum({target}, 1)"
        stirling = f"{target} * log({many}) - {target} + 0.5 * log({2 * pi!r} * {many})"
        text = f"{text} + where({target} > 1, {stirling}, 0)"
    return gathered(f"({text})", reduction)


def gaussian_nll(x, target, var, *, full=False, eps=1e-6, reduction="mean"):
    """The variance of each row may lack the last axis; no gradient sees where it is cut off."""
    if isinstance(var, Operand) and x.rank and var.shape == x.shape[:-1] != x.shape:
        wide, aim = fitted(x, target)
        spread = reshaped(var, (*var.shape, 1))
    else:
        wide, aim, spread = fitted(x, target, var)
    clipped = f"({spread} + stop_grad(maximum({spread}, {number(eps)}) - {spread}))"
    constant = number(0.5 * log(2 * pi) if full else 0.0)
    text = f"0.5 * (log({clipped}) + ({wide} - {aim}) ** 2 / {clipped}) + {constant}"
    return gathered(f"({text})", reduction)


# ------------------------------------------------------------------ vectors


def cosine_embedding(x, y, target, *, margin=0.0, reduction="mean"):
    return (f"cosine_embedding({x}, {y}, {target}, margin = {number(margin)}, "
            f"{reduced(reduction)})")


def triplet_margin(
    anchor, positive, negative, *, margin=1.0, p=2.0, eps=1e-6, swap=False, reduction="mean"
):
    numbers = f"margin = {number(margin)}, p = {number(p)}, eps = {number(eps)}"
    return (f"triplet_margin({anchor}, {positive}, {negative}, {numbers}, swap = {flag(swap)}, "
            f"{reduced(reduction)})")


F = "nn.functional."
ROWS = {
    f"{F}cross_entropy": of_labels("cross_entropy"), f"{F}nll_loss": of_labels("nll"),
    f"{F}binary_cross_entropy": bce, f"{F}binary_cross_entropy_with_logits": bce_logits,
    f"{F}mse_loss": pair("mse"), f"{F}l1_loss": pair("l1"),
    f"{F}huber_loss": pair("huber", "delta"), f"{F}smooth_l1_loss": pair("smooth_l1", "beta"),
    f"{F}kl_div": kl_div, f"{F}hinge_embedding_loss": hinge_embedding,
    f"{F}margin_ranking_loss": margin_ranking, f"{F}soft_margin_loss": soft_margin,
    f"{F}poisson_nll_loss": poisson_nll, f"{F}gaussian_nll_loss": gaussian_nll,
    f"{F}cosine_embedding_loss": cosine_embedding, f"{F}triplet_margin_loss": triplet_margin,
}
