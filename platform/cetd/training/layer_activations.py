"""Bytes that the parts of a model keep for backward, and what their backward adds.

The method is Korthikanti et al. 2022, section 4: add up what each operation saves. Ours differ from the layers there:
norms keep their input alone, dropout masks are small, attention is a fused kernel that keeps queries, keys, values,
output and the logarithm of each query's sum. Under autocast the residual stream stays fp32, and every linear layer
keeps its own 16-bit copy of what it reads.
"""

from __future__ import annotations

from dataclasses import dataclass

from cetd.config import DecoderConfig, EncoderDecoderConfig

FULL, HALF, INDEX = 4, 2, 8  # bytes of a number in fp32, in fp16 or bf16, and of an int64 index


@dataclass(frozen=True)
class Pass:
    """One forward and backward pass of one process.

    Lengths are in tokens. ``width`` is the bytes of a number in matrix products: 4, or 2 under autocast, whose copies
    of the weights have ``casts`` bytes. ``fused`` says whether norms and the gradient of attention are single kernels,
    as on GPUs.
    """

    model: EncoderDecoderConfig | DecoderConfig
    rows: int
    input_tokens: int
    output_tokens: int
    width: int = FULL
    casts: int = 0
    tensor: int = 1
    recompute: bool = False
    fused: bool = True

    @property
    def cast(self) -> bool:
        """Whether linear layers read 16-bit copies."""
        return self.width < FULL


@dataclass(frozen=True)
class Block:
    """Bytes that a block keeps for backward, its norm included, and the most that its backward adds while it works."""

    kept: int
    working: int


@dataclass(frozen=True)
class Attention:
    """One attention: ``queries`` positions look at ``keys`` positions, with heads of ``size``."""

    queries: int
    keys: int
    heads: int
    kv_heads: int
    size: int


def stream(run: Pass, d_model: int, positions: int) -> int:
    """Bytes of the residual stream, or of its gradient."""
    return FULL * run.rows * positions * d_model


def norm(run: Pass, d_model: int, positions: int) -> int:
    """Bytes that a norm keeps: its input; where it is no single kernel, the normed input before its weight as well."""
    return (1 if run.fused else 2) * stream(run, d_model, positions) + FULL * run.rows * positions


def _read(run: Pass, d_model: int, positions: int, linears: int) -> int:
    """What ``linears`` layers that read one tensor keep of it."""
    return (linears if run.cast else 1) * run.width * run.rows * positions * d_model


def attention(
    run: Pass, d_model: int, one: Attention, bias: int, read: int | None = None, rotary: bool = False
) -> Block:
    """Attention with a learned bias of ``bias`` bytes; ``read`` positions of another stack give keys and values.

    A bias is kept by all layers together, but for the copies that autocast makes.
    """
    queries = run.width * run.rows * one.queries * one.heads * one.size
    keys = run.width * run.rows * one.keys * one.kv_heads * one.size
    log_sums = FULL * run.rows * one.queries * one.heads
    inputs = _read(run, d_model, one.queries, 3 if read is None else 1)
    if read is not None and run.cast:
        inputs += _read(run, d_model, read, 2)
    kept = norm(run, d_model, one.queries) + inputs + 2 * queries + 2 * keys + log_sums
    working = 2 * queries + 2 * keys + (2 * queries if rotary else 0) + 2 * stream(run, d_model, one.queries)
    if bias:
        kept += bias * HALF // FULL if run.cast else 0
        scores = one.heads * one.queries * one.keys
        # GPUs' kernels give a gradient per row; ours makes scores and their gradients again, a row at a time.
        working += run.width * run.rows * scores if run.fused else bias + 2 * FULL * scores
    return Block(kept, working)


def feed_forward(run: Pass, d_model: int, positions: int, units: int, matrices: int, dropout: bool) -> Block:
    """A feed-forward block with ``matrices`` that read its input: 2 where it is gated.

    Gated, it keeps the gate before and after its activation, the other factor and the product; else what comes
    out of the activation, and again where dropout makes another tensor of it.
    """
    inner = run.width * run.rows * positions * units
    tensors = 4 if matrices == 2 else 1 + dropout
    kept = norm(run, d_model, positions) + _read(run, d_model, positions, matrices) + tensors * inner
    weight_gradient = (FULL + (run.width if run.cast else 0)) * d_model * units
    entering = stream(run, d_model, positions)
    # First the gradients of the product and of the matrix behind it, from the block's own copy of the stream's; then,
    # with that copy and the matrix's gradient gone, those of the product's factors.
    working = max(inner + weight_gradient + 2 * entering, matrices * inner + entering)
    return Block(kept, working)


class Head:
    """Bytes of the final norm, the logits and the loss: ``kept``, and ``transient`` on top in the loss's backward.

    Logits are of the ``learned`` positions alone, all where it is None.
    """

    def __init__(self, run: Pass, d_model: int, positions: int, vocabulary: int, learned: int | None = None) -> None:
        learned = positions if learned is None else learned
        logits = FULL * run.rows * learned * vocabulary
        self.kept = (
            norm(run, d_model, positions) + _read(run, d_model, learned, 1) + INDEX * run.rows * learned + logits
        )
        gradient = run.width * run.rows * learned * vocabulary
        weight_gradient = (FULL + (run.width if run.cast else 0)) * d_model * vocabulary
        # Log-probabilities are kept; their gradient, and that of the logits from it.
        loss = 2 * logits
        # The logits' gradient in the precision of the product, then that of the head's matrix.
        product = max(gradient, gradient + weight_gradient - logits)
        self.transient = max(loss, product)
