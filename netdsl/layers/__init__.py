"""What a user writes: the words of the language that Python knows, by name."""

from __future__ import annotations

from netdsl.layers import (
    attention,
    convolution,
    distances,
    functions,
    losses,
    neural,
    norms,
    pooling,
    rearranging,
    recurrent,
    reductions,
    tensors,
)
from netdsl.layers.words import Word, word_of
from netdsl.ops import OPS

WORDS: dict[str, Word] = {
    **{op.name: word_of(op) for op in OPS.values() if op.word},
    **{
        word.name: word
        for room in (
            pooling, functions, reductions, losses, distances, rearranging, tensors, attention,
            convolution, neural, norms, recurrent,
        )
        for word in room.WORDS
    },
}
