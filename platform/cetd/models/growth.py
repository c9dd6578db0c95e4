"""Growth: a trained model becomes a larger one that computes the same logits, and that can learn with all of it.

The old weights become a corner of the new ones. What is new is drawn afresh where it reads, and zero where it would
write: so nothing new acts yet, and no two new units are alike. Net2Net (Chen et al. 2016) posed the problem and copies
units instead; bert2BERT (Chen et al. 2022) and LEMON (Wang et al. 2024) carry that to Transformers; zeros for each of
a Transformer's dimensions, and a correction of its RMS norm, are in Gesmundo and Maile (2023).

Width. A vector of d numbers and D - d zeros has a root mean square smaller by sqrt(d/D). All that writes into the
residual stream (embedding, learned positions, attention output, feed-forward output) is multiplied by s = sqrt(D/d)
and each norm's weight by 1/s. The mean square then is the old one, so epsilon keeps its weight and the result is exact
but for rounding. The tied head reads s times the old embedding: T5's scale falls from d**-0.5 to D**-0.5, which is that
s; the Llama family has no such scale, and there the last norm is multiplied by 1/s once more.

Attention. New heads write nothing. A larger T5 head has zero keys in its new part: scores there have no scale. The
Llama family's score scale and rotary frequencies depend on ``d_head``, which therefore stays, as does
``n_heads / n_kv_heads``.

Depth. New layers write nothing, so the residual passes; they are spread evenly.

At the first step these have no gradient, and from the second on they do: the new columns of all that reads the
stream, and the norms' new entries; q, k, v and the position bias of new heads, q and v of the new part of old heads,
the input of new units; in new layers all but what writes. The rest of what is new begins at zero and has one at once,
but for the new rows of what only a tied head or new layers read. Train on with a warm-up: at its first step a new Adam
moves every weight by the whole rate.
"""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from typing import Any, TypeVar, cast

import torch
from torch import Tensor

from cetd.config import DecoderConfig, EncoderDecoderConfig
from cetd.models.decoder import Decoder
from cetd.models.encoder_decoder import EncoderDecoder
from cetd.models.warm_start import resize_vocabulary

Config = EncoderDecoderConfig | DecoderConfig
Model = TypeVar("Model", bound=EncoderDecoder | Decoder)

# What may grow; of the rest only dropout may differ, which is no part of the function.
GROWING = {
    "encoder-decoder": ("vocab_size", "d_model", "d_ff", "d_kv", "n_heads", "encoder_layers", "decoder_layers"),
    "decoder": ("vocab_size", "d_model", "d_ff", "n_heads", "n_kv_heads", "n_layers", "max_positions"),
}
_FREE = ("dropout",)

_WRITES_STREAM = re.compile(r"(^embedding|^embed_tokens|^positions|\.(o|wo|o_proj|down_proj))\.weight$")
_READS_IN_HEADS = re.compile(r"\.(q|k|v|q_proj|k_proj|v_proj)\.weight$")
_WRITES_FROM_HEADS = re.compile(r"\.(o|o_proj)\.weight$")
_KEYS = re.compile(r"\.(k|k_proj)\.weight$")
_NORMS = re.compile(r"norm\.weight$")
_LAYER = re.compile(r"^(.*layers)\.(\d+)\.")


def grow(model: Model, target: Config, seed: int = 0) -> Model:
    """A model of the dimensions ``target`` with the logits of ``model``, which stays as it is.

    A larger vocabulary is grown first, see :func:`cetd.models.warm_start.resize_vocabulary`: the logits of the old
    tokens are the same. The new weights follow from ``seed``; torch's own generator is left alone. Device, dtype and
    training mode are the model's.

    Raises:
        ValueError: growth cannot reach ``target``; one line names the field and both values.
    """
    source = model.config
    check_growth(source, target)
    if target.vocab_size > source.vocab_size:
        model = resize_vocabulary(model, target.vocab_size, seed)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        grown = type(model)(cast(Any, target))
    grown.to(next(model.parameters()))
    moved = {_moved(name, source, target): tensor for name, tensor in model.state_dict().items()}
    for name, tensor in grown.state_dict().items():
        _fill(name, tensor, moved.get(name), source, target)
    return grown.train(model.training)


def check_growth(source: Config, target: Config) -> None:
    """Whether a model of ``source`` can grow to ``target``.

    Raises:
        ValueError: it cannot; one line names the first field that forbids it, and both values.
    """
    growing = GROWING[source.family]
    for field in type(source).model_fields:  # the family first: after it, both have the same fields
        old, new = getattr(source, field), getattr(target, field)
        if field in growing and new < old:
            raise ValueError(f"{field}={new}: growth does not shrink, and the model has {old}; choose a larger target")
        if field not in (*growing, *_FREE) and new != old:
            raise ValueError(f"{field}={new!r}: growth cannot change it, and the model has {old!r}")
    if isinstance(source, DecoderConfig) and isinstance(target, DecoderConfig):
        old, new = (config.n_heads // config.n_kv_heads for config in (source, target))
        if new != old:
            raise ValueError(
                f"n_kv_heads={target.n_kv_heads}: {new} query heads would share each, and in the model {old} do; "
                f"n_heads must be {old} x n_kv_heads"
            )


def placement(source: int, target: int) -> list[int]:
    """Where each of ``source`` layers stands among ``target``: the first stays first, new ones are spread evenly."""
    return [index * target // source for index in range(source)]


@torch.no_grad()
def largest_deviation(model: EncoderDecoder | Decoder, grown: EncoderDecoder | Decoder, seed: int = 0) -> float:
    """Largest absolute difference of two models' logits, in evaluation mode, on one random batch with padding.

    Tokens and logits are those of ``model``'s vocabulary.
    """
    generator = torch.Generator().manual_seed(seed)
    longest = 64 if isinstance(model, EncoderDecoder) else min(64, model.config.max_positions)
    tokens = torch.randint(model.config.vocab_size, (2, longest), generator=generator)
    mask = torch.ones_like(tokens, dtype=torch.bool)
    mask[1, (longest + 1) // 2 :] = False
    expected, found = (_logits(one, tokens, mask) for one in (model, grown))
    return float((found[..., : expected.shape[-1]] - expected).abs().max())


def _logits(model: EncoderDecoder | Decoder, tokens: Tensor, mask: Tensor) -> Tensor:
    """(batch, position, vocabulary); the encoder-decoder writes the first half of the tokens, reversed."""
    training = model.training
    model.eval()
    device = next(model.parameters()).device
    tokens, mask = tokens.to(device), mask.to(device)
    written = tokens[:, : (tokens.shape[1] + 1) // 2].flip(1)
    logits = model(tokens, mask, written) if isinstance(model, EncoderDecoder) else model(tokens, mask)
    model.train(training)
    return logits


def _moved(name: str, source: Config, target: Config) -> str:
    """The name of a tensor once its layer stands where :func:`placement` puts it."""
    found = _LAYER.match(name)
    if found is None:
        return name
    stack, layer = found.groups()
    places = placement(_depth(stack, source), _depth(stack, target))
    return f"{stack}.{places[int(layer)]}.{name[found.end() :]}"


def _depth(stack: str, config: Config) -> int:
    if isinstance(config, DecoderConfig):
        return config.n_layers
    return config.encoder_layers if stack == "encoder.layers" else config.decoder_layers


def _fill(name: str, new: Tensor, old: Tensor | None, source: Config, target: Config) -> None:
    """Put the ``old`` entries, if there are any, among the freshly drawn ones of ``new``; zero what must not act."""
    if _WRITES_STREAM.search(name):
        new.zero_()
    if old is None:
        return
    new, old = _by_head(name, new, target), _by_head(name, old, source)
    if _KEYS.search(name):
        new[: old.shape[0], old.shape[1] :] = 0
    new[_corner(old.shape)] = old * _factor(name, source, target)


def _by_head(name: str, weight: Tensor, config: Config) -> Tensor:
    """A view with the axis of heads split: (head, size, d_model) or (d_model, head, size); other tensors as given."""
    size = config.d_kv if isinstance(config, EncoderDecoderConfig) else config.d_head
    if _READS_IN_HEADS.search(name):
        return weight.unflatten(0, (-1, size))
    return weight.unflatten(1, (-1, size)) if _WRITES_FROM_HEADS.search(name) else weight


def _corner(shape: Sequence[int]) -> tuple[slice, ...]:
    return tuple(slice(length) for length in shape)


def _factor(name: str, source: Config, target: Config) -> float:
    """What the old entries of a tensor are multiplied by."""
    stretch = math.sqrt(target.d_model / source.d_model)
    if _WRITES_STREAM.search(name):
        return stretch
    if name == "norm.weight" and target.tied_lm_head:  # of the Llama family: T5's are named after their stack
        return stretch**-2
    return 1 / stretch if _NORMS.search(name) else 1.0
