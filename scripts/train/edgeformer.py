#!/usr/bin/env python3
"""The EdgeFormer encoder-decoder in PyTorch, for training and as a reference.

Post-LN layers with ReLU, sinusoidal positions, one embedding table shared by
the encoder input, the decoder input and the output projection.  The decoder
interleaves attention with one feed-forward block that is applied twice.
Layers can share attention sets and feed-forward sets; the encoder can add a
low-rank term per layer to the shared query and value projections.
"""
import argparse
import dataclasses
import math

import torch
import torch.nn.functional as F
from torch import nn


@dataclasses.dataclass
class EdgeConfig:
    """Everything that fixes the shape of a model."""

    vocab_size: int = 4096
    d_model: int = 256
    encoder_layers: int = 6
    decoder_layers: int = 2
    heads: int = 4
    encoder_ffn_dim: int = 1024
    decoder_ffn_dim: int = 256
    attention_groups: int = 6
    ffn_groups: int = 6
    lora_rank: int = 0
    decoder_shares_attention: bool = False
    dropout: float = 0.0
    max_positions: int = 1024

    def validate(self):
        """Reject shapes that the layer equations cannot hold."""
        if self.d_model % self.heads:
            raise ValueError("d_model must be a multiple of heads")
        for groups in (self.attention_groups, self.ffn_groups):
            if not 1 <= groups <= self.encoder_layers:
                raise ValueError("groups must be in 1..encoder_layers")
        if self.decoder_shares_attention:
            if 2 * self.decoder_layers > self.attention_groups:
                raise ValueError("decoder sharing needs 2*decoder_layers "
                                 "encoder attention sets")
        return self


def sinusoid_table(rows, dim):
    """Return [rows, dim]: sines in the first half, cosines in the second."""
    half = dim // 2
    step = math.log(10000.0) / max(half - 1, 1)
    freq = torch.exp(torch.arange(half, dtype=torch.float32) * -step)
    angle = torch.arange(rows, dtype=torch.float32)[:, None] * freq[None]
    table = torch.cat([angle.sin(), angle.cos()], dim=1)
    return F.pad(table, (0, dim - table.shape[1]))


class AttentionSet(nn.Module):
    """The four projections of one multi-head attention, with biases."""

    def __init__(self, dim):
        super().__init__()
        self.q_proj = nn.Linear(dim, dim)
        self.k_proj = nn.Linear(dim, dim)
        self.v_proj = nn.Linear(dim, dim)
        self.out_proj = nn.Linear(dim, dim)


class LowRank(nn.Module):
    """A low-rank update V(U x): down to rank r, back up, biases on both."""

    def __init__(self, dim, rank):
        super().__init__()
        self.linear_u = nn.Linear(dim, rank)
        self.linear_v = nn.Linear(rank, dim)

    def forward(self, x):
        return self.linear_v(self.linear_u(x))


class FeedForward(nn.Module):
    """fc2(relu(fc1 x))."""

    def __init__(self, dim, hidden):
        super().__init__()
        self.fc1 = nn.Linear(dim, hidden)
        self.fc2 = nn.Linear(hidden, dim)

    def forward(self, x):
        return self.fc2(F.relu(self.fc1(x)))


class EncoderExtras(nn.Module):
    """What an encoder layer owns alone: two norms and the low-rank terms."""

    def __init__(self, config):
        super().__init__()
        dim = config.d_model
        self.self_norm = nn.LayerNorm(dim, eps=1e-5)
        self.final_norm = nn.LayerNorm(dim, eps=1e-5)
        self.lora_q = self.lora_v = None
        if config.lora_rank:
            self.lora_q = LowRank(dim, config.lora_rank)
            self.lora_v = LowRank(dim, config.lora_rank)


class DecoderExtras(nn.Module):
    """What a decoder layer owns alone: three norms and one feed-forward."""

    def __init__(self, config):
        super().__init__()
        dim = config.d_model
        self.self_norm = nn.LayerNorm(dim, eps=1e-5)
        self.cross_norm = nn.LayerNorm(dim, eps=1e-5)
        self.final_norm = nn.LayerNorm(dim, eps=1e-5)
        self.ffn = FeedForward(dim, config.decoder_ffn_dim)


class EdgeFormer(nn.Module):
    """The whole model; see the module text for the layer equations."""

    def __init__(self, config):
        super().__init__()
        self.config = config.validate()
        dim = config.d_model
        self.shared = nn.Embedding(config.vocab_size, dim)
        self.attention = nn.ModuleList(
            AttentionSet(dim) for _ in range(config.attention_groups))
        self.ffn = nn.ModuleList(
            FeedForward(dim, config.encoder_ffn_dim)
            for _ in range(config.ffn_groups))
        self.encoder = nn.ModuleList(
            EncoderExtras(config) for _ in range(config.encoder_layers))
        self.decoder = nn.ModuleList(
            DecoderExtras(config) for _ in range(config.decoder_layers))
        own = 0 if config.decoder_shares_attention else config.decoder_layers
        self.decoder_self = nn.ModuleList(AttentionSet(dim) for _ in range(own))
        self.decoder_cross = nn.ModuleList(AttentionSet(dim) for _ in range(own))
        table = sinusoid_table(config.max_positions, dim)
        self.register_buffer("positions", table, persistent=False)
        self.reset_parameters()

    def reset_parameters(self):
        """Xavier weights, zero biases; the last cross attention copies.

        Equal query and key weights make equal positions attend each other,
        and value and output weights near one pass the piece through.
        """
        for module in self.modules():
            if isinstance(module, nn.Linear):
                nn.init.xavier_uniform_(module.weight)
                nn.init.zeros_(module.bias)
        nn.init.normal_(self.shared.weight, std=self.config.d_model ** -0.5)
        for extras in self.encoder:
            if extras.lora_q is not None:
                nn.init.zeros_(extras.lora_q.linear_v.weight)
                nn.init.zeros_(extras.lora_v.linear_v.weight)
        if not self.config.decoder_shares_attention:
            last = self.decoder_cross[-1]
            with torch.no_grad():
                for linear in (last.v_proj, last.out_proj):
                    linear.weight.mul_(0.5)
                    linear.weight.add_(torch.eye(self.config.d_model))
                last.k_proj.weight.copy_(last.q_proj.weight)

    def self_set(self, layer):
        """The self-attention set of decoder layer `layer`."""
        if self.config.decoder_shares_attention:
            return self.attention[2 * layer]
        return self.decoder_self[layer]

    def cross_set(self, layer):
        """The cross-attention set of decoder layer `layer`."""
        if self.config.decoder_shares_attention:
            return self.attention[2 * layer + 1]
        return self.decoder_cross[layer]

    def embed(self, ids, start=0):
        """Scaled embeddings plus the position rows from `start` on."""
        x = self.shared(ids) * math.sqrt(self.config.d_model)
        return self.drop(x + self.positions[start:start + ids.shape[1]])

    def drop(self, x):
        """Dropout where the model trains with it."""
        return F.dropout(x, self.config.dropout, self.training)

    def split(self, x):
        """[B, T, d] -> [B, heads, T, d / heads]."""
        batch, length, dim = x.shape
        heads = self.config.heads
        return x.view(batch, length, heads, dim // heads).transpose(1, 2)

    def attend(self, sets, q, k, v, mask=None, causal=False):
        """Scaled dot-product attention on projected q, k, v, then out_proj."""
        width = self.config.d_model // self.config.heads
        scores = self.split(q * width ** -0.5) @ self.split(k).transpose(2, 3)
        if causal:
            mask = causal_mask(scores.shape[-1])
        scores = scores.float()
        if mask is not None:
            scores = scores + mask
        y = scores.softmax(-1).to(v.dtype) @ self.split(v)
        return self.drop(sets.out_proj(y.transpose(1, 2).flatten(2)))

    def encode(self, source, mask=None):
        """Source ids [B, S] -> encoder states; mask [B, 1, 1, S] is additive."""
        x = self.embed(source)
        for index, extras in enumerate(self.encoder):
            sets = self.attention[index % self.config.attention_groups]
            ffn = self.ffn[index % self.config.ffn_groups]
            q, k, v = sets.q_proj(x), sets.k_proj(x), sets.v_proj(x)
            if extras.lora_q is not None:
                q, v = q + extras.lora_q(x), v + extras.lora_v(x)
            x = extras.self_norm(x + self.attend(sets, q, k, v, mask))
            x = extras.final_norm(x + self.drop(ffn(x)))
        return x

    def decoder_layer(self, index, x, states, mask, cache=None):
        """One interleaved decoder layer; also returns the cross query, key."""
        extras, own = self.decoder[index], self.self_set(index)
        q, k, v = own.q_proj(x), own.k_proj(x), own.v_proj(x)
        if cache is not None:
            if "k" in cache:
                k = torch.cat([cache["k"], k], 1)
                v = torch.cat([cache["v"], v], 1)
            cache["k"], cache["v"] = k, v
        causal = x.shape[1] > 1
        x = extras.self_norm(x + self.attend(own, q, k, v, causal=causal))
        x = extras.final_norm(x + self.drop(extras.ffn(x)))
        cross = self.cross_set(index)
        if cache is not None and "ck" in cache:
            ck, cv = cache["ck"], cache["cv"]
        else:
            ck, cv = cross.k_proj(states), cross.v_proj(states)
            if cache is not None:
                cache["ck"], cache["cv"] = ck, cv
        cq = cross.q_proj(x)
        x = extras.cross_norm(x + self.attend(cross, cq, ck, cv, mask))
        return extras.final_norm(x + self.drop(extras.ffn(x))), cq, ck

    def decode(self, target, states, mask=None, caches=None, start=0):
        """Decoder input ids [B, T] -> (states, last cross query, last key)."""
        x, cq, ck = self.embed(target, start), None, None
        for index in range(self.config.decoder_layers):
            cache = None if caches is None else caches[index]
            x, cq, ck = self.decoder_layer(index, x, states, mask, cache)
        return x, cq, ck

    def project(self, x):
        """Decoder states -> logits over the vocabulary."""
        return F.linear(x, self.shared.weight)

    def alignment_scores(self, cq, ck, mask, heads):
        """Scores [B, heads, T, S] of the first heads of the cross attention."""
        width = self.config.d_model // self.config.heads
        q = self.split(cq)[:, :heads] * width ** -0.5
        scores = q @ self.split(ck)[:, :heads].transpose(2, 3)
        return scores.float() if mask is None else scores.float() + mask

    def forward(self, source, target, mask=None):
        """Teacher-forced logits [B, T, V]."""
        return self.project(self.decode(target, self.encode(source, mask),
                                        mask)[0])


def causal_mask(width):
    """Additive mask [width, width] that hides the positions to come."""
    return torch.full((width, width), -1e9).triu_(1)


def padding_mask(lengths, width):
    """Additive mask [B, 1, 1, width]: -1e9 behind each row's length."""
    behind = torch.arange(width)[None] >= torch.as_tensor(lengths)[:, None]
    mask = torch.zeros(behind.shape).masked_fill_(behind, -1e9)
    return mask[:, None, None]


def main():
    """Print the parameter count of one shape."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--d_model", type=int, default=256)
    parser.add_argument("--encoder_layers", type=int, default=6)
    parser.add_argument("--decoder_layers", type=int, default=2)
    parser.add_argument("--vocab_size", type=int, default=4096)
    args = parser.parse_args()
    model = EdgeFormer(EdgeConfig(
        vocab_size=args.vocab_size, d_model=args.d_model,
        encoder_layers=args.encoder_layers, decoder_layers=args.decoder_layers,
        heads=max(args.d_model // 64, 1), encoder_ffn_dim=4 * args.d_model,
        decoder_ffn_dim=args.d_model, attention_groups=args.encoder_layers,
        ffn_groups=args.encoder_layers))
    print(f"{sum(p.numel() for p in model.parameters()):,} parameters")


if __name__ == "__main__":
    main()
