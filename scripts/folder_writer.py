"""Writes a model folder whole or not at all: config.json, other files, and weights tensor by tensor."""

import contextlib
import json
import os
import shutil
import struct
import tempfile

ALIGN = 64
ITEM = {"F64": 8, "I64": 8, "F32": 4, "I32": 4, "F16": 2, "BF16": 2, "I16": 2, "I8": 1, "U8": 1, "BOOL": 1}


@contextlib.contextmanager
def new_folder(path):
    """A folder to write into, which gets its name at the end; after an exception nothing is left of it."""
    path = os.path.abspath(path)
    if os.path.lexists(path) and (not os.path.isdir(path) or os.path.islink(path) or os.listdir(path)):
        raise OSError(f"{path}: is there already and is not an empty folder")
    temporary = tempfile.mkdtemp(prefix=os.path.basename(path) + ".partial-", dir=os.path.dirname(path))
    try:
        yield temporary
        mask = os.umask(0)
        os.umask(mask)
        os.chmod(temporary, 0o777 & ~mask)
        os.rename(temporary, path)
    except BaseException:
        shutil.rmtree(temporary, ignore_errors=True)
        raise


def write_json(folder, name, content):
    with open(os.path.join(folder, name), "w", encoding="utf-8") as f:
        f.write(json.dumps(content, indent=2, ensure_ascii=False) + "\n")


def _size(dtype, shape):
    n = ITEM[dtype]
    for dim in shape:
        n *= dim
    return n


def write_weights(folder, tensors):
    """model.safetensors from name -> (dtype, shape, function that gives the bytes)."""
    sizes = {name: _size(dtype, shape) for name, (dtype, shape, _) in tensors.items()}
    names = sorted(tensors, key=lambda n: (sizes[n] % ALIGN != 0, -ITEM[tensors[n][0]], n))
    header, offset = {"__metadata__": {"format": "pt"}}, 0
    for name in names:
        dtype, shape, _ = tensors[name]
        header[name] = {"dtype": dtype, "shape": list(shape), "data_offsets": [offset, offset + sizes[name]]}
        offset += sizes[name]
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-(len(text) + 8) % ALIGN)
    with open(os.path.join(folder, "model.safetensors"), "wb") as f:
        f.write(struct.pack("<Q", len(text)) + text)
        for name in names:
            data = tensors[name][2]()
            if len(data) != sizes[name]:
                raise ValueError(f"tensor {name}: {len(data)} bytes, its shape needs {sizes[name]}")
            f.write(data)
