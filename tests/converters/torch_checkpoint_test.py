#!/usr/bin/env python3
"""scripts/torch_checkpoint.py: reads what PyTorch wrote, and runs nothing of what a file says."""

import builtins
import io
import json
import os
import pickle
import pickletools
import random
import struct
import sys
import tempfile
import unittest
import zipfile

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
FIXTURES = os.path.join(ROOT, "tests", "fixtures", "checkpoints")
sys.path.insert(0, os.path.join(ROOT, "scripts"))
import torch_checkpoint  # noqa: E402
from torch_checkpoint import CheckpointError  # noqa: E402

KINDS = ("kinds_zip.pt", "kinds_old.pt")
TYPES = {"float32": "F32", "float16": "F16", "bfloat16": "BF16", "float64": "F64", "int64": "I64", "int8": "I8",
         "bool": "BOOL"}


def fixture(name):
    with open(os.path.join(FIXTURES, name), "rb") as f:
        return f.read()


def zip_of(pickled, storages=()):
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        archive.writestr("x/data.pkl", pickled)
        archive.writestr("x/byteorder", "little")
        for key, data in storages:
            archive.writestr(f"x/data/{key}", data)
    return out.getvalue()


def sequence_of(pickled):
    head = [torch_checkpoint.MAGIC, torch_checkpoint.PROTOCOL, {"little_endian": True}]
    return b"".join(pickle.dumps(v, 2) for v in head) + pickled + pickle.dumps([], 2)


class Evil:
    """Pickled as a call."""

    def __init__(self, function, *arguments):
        self.call = function, arguments

    def __reduce__(self):
        return self.call


class Setter(dict):
    """A dictionary whose pickle sets a state as well."""

    def __init__(self, state):
        super().__init__()
        self.state = state

    def __reduce__(self):
        return dict, (), self.state


def tensor_pickle(kind="FloatStorage", count=6, offset=0, shape=(2, 3), stride=(3, 1), tail=""):
    """Opcodes of one tensor, written by hand."""
    def numbers(values):
        return b"(" + b"".join(b"I%d\n" % v for v in values) + b"t"
    identity = b"(X\x07\0\0\0storagectorch\n" + kind.encode() + b"\nX\x01\0\0\0" + b"0X\x03\0\0\0cpuI%d\nt" % count
    return (b"\x80\x02ctorch._utils\n_rebuild_tensor_v2\n(" + identity + b"QI%d\n" % offset + numbers(shape)
            + numbers(stride) + b"\x89Nt" + b"R" + tail.encode() + b".")


class Reading(unittest.TestCase):
    def test_all_types_and_views(self):
        want = json.loads(fixture("expected.json"))
        for name in KINDS:
            model = torch_checkpoint.load(os.path.join(FIXTURES, name))["model"]
            self.assertEqual(set(model), set(want))
            for key, tensor in model.items():
                self.assertEqual(list(tensor.shape), want[key]["shape"], key)
                self.assertEqual(tensor.data().hex(), want[key]["bytes"], f"{name} {key}")
                if key in TYPES:
                    self.assertEqual(tensor.dtype, TYPES[key])
            self.assertTrue(model["tied"].same_memory(model["float32"]))
            self.assertFalse(model["transposed"].same_memory(model["float32"]))
            self.assertFalse(model["parameter"].same_memory(model["float32"]))

    def test_settings_are_inert(self):
        old = torch_checkpoint.load(os.path.join(FIXTURES, "fairseq_pre_old.pt"))
        self.assertIsInstance(old["args"], torch_checkpoint.Inert)
        self.assertEqual(old["args"].state["encoder_layers"], 1)
        new = torch_checkpoint.load(os.path.join(FIXTURES, "fairseq_learned_cfg.pt"))
        self.assertEqual(new["cfg"].name, "omegaconf.dictconfig.DictConfig")


class Refusing(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.TemporaryDirectory()
        self.path = os.path.join(self.folder.name, "x.pt")
        self.mark = os.path.join(self.folder.name, "was-run")

    def tearDown(self):
        self.folder.cleanup()

    def load(self, data):
        with open(self.path, "wb") as f:
            f.write(data)
        return torch_checkpoint.load(self.path)

    def load_all(self, data):
        """Loads, and reads every tensor of a fixture."""
        for tensor in self.load(data)["model"].values():
            if isinstance(tensor, torch_checkpoint.Tensor):
                tensor.data()

    def refuse(self, data, message):
        with self.assertRaises(CheckpointError) as caught:
            self.load(data)
        self.assertIn(message, str(caught.exception))
        self.assertIn(self.path, str(caught.exception))
        self.assertFalse(os.path.exists(self.mark))

    def test_calls_are_not_made(self):
        code = f"open({self.mark!r}, 'w')"
        evil = {"system": Evil(os.system, f"touch {self.mark}"), "eval": Evil(eval, code),
                "open": Evil(open, self.mark, "w"),
                "exec": Evil(exec, code), "getattr": Evil(getattr, dict, "fromkeys"),
                "__import__": Evil(builtins.__import__, "os")}
        for name, call in evil.items():
            for value in (call, {"model": {"a": [1, (call,)]}}, Setter({"x": call}), [Evil(dict, [("a", call)])]):
                for protocol in (0, 2, 4, 5):
                    pickled = pickle.dumps(value, protocol)
                    self.assertIn(name.encode(), pickled)
                    for data in (zip_of(pickled), sequence_of(pickled)):
                        self.refuse(data, name + ", which is not one of the functions")

    def test_the_calls_would_be_made_by_pickle(self):
        """The files above are dangerous: this is what they do elsewhere."""
        pickle.loads(pickle.dumps(Evil(open, self.mark, "w")))
        self.assertTrue(os.path.exists(self.mark))

    def test_names_that_look_like_good_ones(self):
        for name in ("torch.storage._load_from_bytes", "torch.load", "torch._utils._rebuild_tensor_v2.x",
                     "torch.hub.load", "fairseq.x;y", "omegaconf", "collections.Counter", "numpy.load",
                     "builtins.type", "argparse.Namespace.__init__", "typing.get_type_hints", "pathlib.Path.unlink"):
            module, _, last = name.rpartition(".")
            self.refuse(zip_of(b"\x80\x02c" + module.encode() + b"\n" + last.encode() + b"\n."), "the pickle names ")

    def test_inert_things_stay_inert(self):
        path = torch_checkpoint.load(os.path.join(FIXTURES, "edge_lora.pt"))
        self.assertIsInstance(path["args"], torch_checkpoint.Inert)
        value = self.load(zip_of(b"\x80\x02cpathlib\nPosixPath\nX\x02\0\0\0/x\x85R."))
        self.assertEqual((value.name, value.made_with), ("pathlib.PosixPath", ("/x",)))
        self.refuse(zip_of(b"\x80\x02X\x01\0\0\0x)R."), "calls what is no function")

    def test_tensors_outside_their_storage(self):
        storage = [("0", struct.pack("<6f", *range(6)))]
        self.assertEqual(self.load(zip_of(tensor_pickle(), storage)).data(), storage[0][1])
        for wrong in (dict(shape=(2, 4)), dict(offset=1), dict(stride=(4, 1)), dict(stride=(3, 2)), dict(offset=-1),
                      dict(stride=(-3, 1)), dict(shape=(2,)), dict(shape=(1 << 40, 1 << 40), stride=(0, 0)),
                      dict(shape=(-1, 3))):
            with self.assertRaises(CheckpointError, msg=wrong):
                self.load(zip_of(tensor_pickle(**wrong), storage))
        for wrong in (dict(count=7), dict(count=5), dict(count=-1), dict(count=1 << 60), dict(kind="HalfStorage")):
            with self.assertRaises(CheckpointError, msg=wrong):
                self.load(zip_of(tensor_pickle(**wrong), storage))
        self.refuse(zip_of(tensor_pickle()), "storage 0 is missing")
        self.refuse(zip_of(tensor_pickle(kind="ComplexFloatStorage"), storage), "torch.ComplexFloatStorage")

    def test_damaged_zip_files(self):
        whole = fixture("kinds_zip.pt")
        for n in list(range(0, len(whole) - 1, 37)) + [len(whole) - 1]:
            with self.assertRaises(CheckpointError, msg=n):
                self.load_all(whole[:n])
        at = whole.index(struct.pack("<6f", *(i / 7 for i in range(6))))
        damaged = whole[:at] + b"\xff" + whole[at + 1:]
        with self.assertRaises(CheckpointError) as caught:
            self.load_all(damaged)
        self.assertIn("CRC", str(caught.exception))

    def test_damaged_old_files(self):
        whole = fixture("kinds_old.pt")
        for n in range(0, len(whole), 11):
            with self.assertRaises(CheckpointError, msg=n):
                self.load_all(whole[:n])

    def test_random_damage(self):
        rng = random.Random(1)
        for name in KINDS:
            whole, read = fixture(name), 0
            for _ in range(400):
                data = bytearray(whole)
                for _ in range(rng.randint(1, 4)):
                    data[rng.randrange(len(data))] = rng.randrange(256)
                try:
                    self.load_all(bytes(data))
                    read += 1
                except (CheckpointError, KeyError, AttributeError, TypeError) as e:
                    # A name that is not "model", or no dictionary: what a converter looks at.
                    self.assertTrue(isinstance(e, CheckpointError) or "model" in str(e) or "subscript" in str(e)
                                    or "items" in str(e) or "values" in str(e), e)
            self.assertGreater(read, 0)

    def test_other_files(self):
        self.refuse(b"", "the file is empty")
        self.refuse(b"PK\x03\x04xxxx", "cut off")
        self.refuse(b"hello world, this is text\n" * 10, "cannot be read as a checkpoint")
        self.refuse(pickle.dumps({"a": 1}, 2), "neither a zip file nor")
        self.refuse(zip_of(b"\x80\x02"), "cannot be read")
        with self.assertRaises(CheckpointError):
            torch_checkpoint.load(os.path.join(self.folder.name, "missing"))

    def test_every_instruction_is_known_or_refused(self):
        known = set(torch_checkpoint.ACTIONS) | torch_checkpoint.VALUES | {"PROTO", "FRAME", "STOP"}
        refused = {o.name for o in pickletools.opcodes} - known
        self.assertEqual(refused, {"INST", "OBJ", "PERSID", "EXT1", "EXT2", "EXT4", "BYTEARRAY8", "NEXT_BUFFER",
                                   "READONLY_BUFFER"})
        self.refuse(zip_of(b"\x80\x02(ios\nsystem\n."), "the instruction INST")
        self.refuse(zip_of(b"\x80\x02\x82\x01."), "the instruction EXT1")


if __name__ == "__main__":
    unittest.main()
