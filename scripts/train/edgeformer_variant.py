"""EdgeFormer with the options that training does not use, as a reference."""
import torch.nn.functional as F
from torch import nn

from edgeformer import EdgeFormer, FeedForward

OFFSET = 3


class GeluFeedForward(FeedForward):
    """fc2(gelu(fc1 x))."""

    def forward(self, x):
        return self.fc2(F.gelu(self.fc1(x)))


class VariantEdgeFormer(EdgeFormer):
    """An output layer, learned positions, GELU, embeddings as they are."""

    def __init__(self, config):
        super().__init__(config)
        rows = config.max_positions + OFFSET
        self.head = nn.Linear(config.d_model, config.vocab_size, bias=False)
        self.tables = nn.ModuleDict({
            side: nn.Embedding(rows, config.d_model)
            for side in ("encoder", "decoder")})
        self.ffn = nn.ModuleList(
            GeluFeedForward(config.d_model, config.encoder_ffn_dim)
            for _ in self.ffn)
        for extras in self.decoder:
            extras.ffn = GeluFeedForward(config.d_model,
                                         config.decoder_ffn_dim)

    def embed(self, ids, start=0):
        first = OFFSET + start
        return self.shared(ids) + self.positions[first:first + ids.shape[1]]

    def encode(self, source, mask=None):
        self.positions = self.tables["encoder"].weight
        return super().encode(source, mask)

    def decode(self, target, states, mask=None, caches=None, start=0):
        self.positions = self.tables["decoder"].weight
        return super().decode(target, states, mask, caches, start)

    def project(self, x):
        return self.head(x)

    def further_tensors(self):
        """Name in a folder -> parameter, of those EdgeFormer does not have."""
        out = {side + ".embed_positions.weight": table.weight
               for side, table in self.tables.items()}
        return out | {"lm_head.weight": self.head.weight}


def further_keys():
    """What config.json says of the options."""
    return {"activation_function": "gelu", "scale_embedding": False,
            "position_embedding_type": "learned", "position_offset": OFFSET,
            "tie_word_embeddings": False}
