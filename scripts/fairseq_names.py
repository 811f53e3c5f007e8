"""What a checkpoint of fairseq says of its model, and its tensors under the names that stet reads."""

import re
import struct
from operator import mul

from torch_checkpoint import CheckpointError, Inert, Tensor

PROJECTIONS = ("q_proj", "k_proj", "v_proj")
DROPPED = re.compile(r"(encoder|decoder)\.(version|embed_positions\.(_float_tensor|weights)|layers\.\d+\.[a-z_]*\.?"
                     r"version)")
# Norms of checkpoints from before 2019, by number: encoder and decoder.
OLD_NORMS = {"encoder": ("self_attn_layer_norm", "final_layer_norm"),
             "decoder": ("self_attn_layer_norm", "encoder_attn_layer_norm", "final_layer_norm")}
KNOWN = re.compile(
    r"(encoder|decoder)\.(layers\.\d+\.((self_attn|encoder_attn)\.(q|k|v|out)_proj|fc1|fc2"
    r"|(self_attn|encoder_attn|final)_layer_norm"
    r"|[qv]_lora\.linear_[uv])\.(weight|bias)|layer_norm\.(weight|bias)|layernorm_embedding\.(weight|bias)"
    r"|embed_positions\.weight|embed_tokens\.weight)|decoder\.output_projection\.weight")
FORMATS = {"F64": "d", "F32": "f", "F16": "e"}


def plain(value):
    """Settings as dictionaries and plain values: omegaconf's nodes keep theirs in _content and _val."""
    if isinstance(value, Inert):
        state = value.state if isinstance(value.state, dict) else {}
        if "_content" in state:
            return plain(state["_content"])
        if "_val" in state:
            return plain(state["_val"])
        return {k: plain(v) for k, v in {**state, **value.items}.items()}
    if isinstance(value, dict):
        return {k: plain(v) for k, v in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(v) for v in value]
    return value


def settings(checkpoint, path):
    """The settings of the model, flat as the command line has them."""
    found = plain(checkpoint.get("args"))
    if not isinstance(found, dict) or not found:
        found = plain(checkpoint.get("cfg"))
        found = found.get("model") if isinstance(found, dict) else None
    if not isinstance(found, dict):
        raise CheckpointError(f"{path}: has neither args nor cfg.model, which say what the model is")
    out = dict(found)
    for side in ("encoder", "decoder"):
        for key, value in (found.get(side) if isinstance(found.get(side), dict) else {}).items():
            out.setdefault(f"{side}_{key}", value)
        if f"{side}_ffn_dim" in out:
            out.setdefault(f"{side}_ffn_embed_dim", out[f"{side}_ffn_dim"])
    return out


class Values:
    """A tensor that was computed: [rows][columns] or [n] as floats."""

    def __init__(self, shape, rows):
        self.shape, self.rows, self.dtype = tuple(shape), rows, "F32"

    def data(self):
        flat = [v for row in self.rows for v in row] if len(self.shape) == 2 else self.rows
        return struct.pack(f"<{len(flat)}f", *flat)


class Slice:
    """Some rows of a tensor, as it is stored."""

    def __init__(self, tensor, begin, end):
        self.tensor, self.begin, self.end, self.dtype = tensor, begin, end, tensor.dtype
        self.shape = (end - begin,) + tensor.shape[1:]

    def data(self):
        raw = self.tensor.data()
        row = len(raw) // self.tensor.shape[0]
        return raw[self.begin * row:self.end * row]


def floats(tensor):
    """The elements in one list."""
    raw, n = tensor.data(), 1
    for dim in tensor.shape:
        n *= dim
    if tensor.dtype == "BF16":
        halves = struct.unpack(f"<{n}H", raw)
        return list(struct.unpack(f"<{n}f", struct.pack(f"<{n}I", *(h << 16 for h in halves))))
    if tensor.dtype not in FORMATS:
        raise CheckpointError(f"a weight has type {tensor.dtype}, expected floats")
    return list(struct.unpack(f"<{n}{FORMATS[tensor.dtype]}", raw))


def rows_of(tensor):
    flat, n = floats(tensor), tensor.shape[1]
    return [flat[i:i + n] for i in range(0, len(flat), n)]


def folded(weight, bias, lora):
    """A projection with its low-rank term added: W + V U, b + V u + v (sums in double)."""
    up, columns = rows_of(lora["linear_v.weight"]), list(zip(*rows_of(lora["linear_u.weight"])))
    down_bias, up_bias = floats(lora["linear_u.bias"]), floats(lora["linear_v.bias"])
    new = [[w + sum(map(mul, v, u)) for w, u in zip(row, columns)] for row, v in zip(rows_of(weight), up)]
    new_bias = [b + sum(map(mul, v, down_bias)) + o for b, v, o in zip(floats(bias), up, up_bias)]
    return Values(weight.shape, new), Values(bias.shape, new_bias)


def _split_joint(out, name, tensor):
    """The one matrix that older checkpoints have for queries, keys and values, as three."""
    prefix, kind = name.rsplit(".in_proj_", 1)
    part = tensor.shape[0] // 3
    for i, projection in enumerate(PROJECTIONS):
        out[f"{prefix}.{projection}.{kind}"] = Slice(tensor, i * part, (i + 1) * part)


def _new_norm(name):
    match = re.fullmatch(r"(encoder|decoder)\.layers\.(\d+)\.layer_norms\.(\d)\.(weight|bias)", name)
    if match is None or int(match[3]) >= len(OLD_NORMS[match[1]]):
        return name
    return f"{match[1]}.layers.{match[2]}.{OLD_NORMS[match[1]][int(match[3])]}.{match[4]}"


def tensors_of(checkpoint, path):
    """Name -> tensor in fairseq's present names, without what is computed. Others are refused by name."""
    state, out = checkpoint.get("model"), {}
    if not isinstance(state, dict) or not state:
        raise CheckpointError(f"{path}: has no dictionary \"model\" with tensors")
    for name, tensor in state.items():
        if not isinstance(name, str) or not isinstance(tensor, Tensor):
            raise CheckpointError(f"{path}: model: {name!r} is not a tensor")
        if DROPPED.fullmatch(name):
            continue
        if ".in_proj_" in name and tensor.shape and tensor.shape[0] % 3 == 0:
            _split_joint(out, name, tensor)
        elif name == "decoder.embed_out":
            out["decoder.output_projection.weight"] = tensor
        else:
            out[_new_norm(name)] = tensor
    for name in out:
        if not KNOWN.fullmatch(name):
            raise CheckpointError(f"{path}: tensor {name} belongs to none of the models that can be converted: "
                                  f"Transformer (transformer*) and EdgeFormer (transformer_edge)")
    return out
