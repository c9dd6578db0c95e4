"""Attention with an additive bias by a fused kernel, also on CPUs and also where the bias learns.

PyTorch's fused kernel for CPUs gives no gradient for the bias, and scaled_dot_product_attention falls back to scores of
the whole batch in memory. Here forward is that kernel all the same. Backward makes the scores again from its
log-sum-exp, a row of the batch at a time (FlashAttention does so by blocks; Dao et al. 2022), and has the bias's
gradient from them.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.nn import functional


def attend(queries: Tensor, keys: Tensor, values: Tensor, bias: Tensor) -> Tensor:
    """Softmax(queries keys^T + bias) values, without a scale.

    Args:
        queries: (batch, head, query, size).
        keys, values: (batch, head, key, size).
        bias: (batch or 1, head or 1, query or 1, key).

    Returns:
        (batch, head, query, size).
    """
    if queries.is_cpu and bias.requires_grad and queries.dtype == bias.dtype == torch.float32:
        return _BiasedAttention.apply(queries, keys, values, bias)
    return functional.scaled_dot_product_attention(queries, keys, values, bias, scale=1.0)


class _BiasedAttention(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, queries: Tensor, keys: Tensor, values: Tensor, bias: Tensor) -> Tensor:
        kernel = torch.ops.aten._scaled_dot_product_flash_attention_for_cpu
        mixed, log_sums = kernel(queries, keys, values, attn_mask=bias, scale=1.0)
        ctx.save_for_backward(queries, keys, values, bias, mixed, log_sums)
        return mixed

    @staticmethod
    def backward(ctx: Any, *gradients: Any) -> Any:
        queries, keys, values, bias, mixed, log_sums = ctx.saved_tensors
        gradient = gradients[0]
        rows = queries.shape[0]
        of_queries, of_keys, of_values = (torch.empty_like(tensor) for tensor in (queries, keys, values))
        of_bias = torch.zeros_like(bias)
        # What every score of a query gives back: softmax's gradient is weight x (its own - this).
        shared = (gradient * mixed).sum(-1, keepdim=True)
        for row in range(rows):
            place = row if bias.shape[0] == rows else 0
            scores = queries[row] @ keys[row].transpose(-1, -2)  # (head, query, key)
            weights = scores.add_(bias[place]).sub_(log_sums[row][..., None]).exp_()
            of_values[row] = weights.transpose(-1, -2) @ gradient[row]
            of_scores = (gradient[row] @ values[row].transpose(-1, -2)).sub_(shared[row]).mul_(weights)
            of_queries[row] = of_scores @ keys[row]
            of_keys[row] = of_scores.transpose(-1, -2) @ queries[row]
            of_bias[place] += of_scores.sum_to_size(bias.shape[1:])
        return of_queries, of_keys, of_values, of_bias
