#!/usr/bin/env python3
"""convert_fairseq.py and convert_pytorch_bin.py: checkpoints of fixtures become these fixtures again."""

import json
import os
import shutil
import struct
import subprocess
import sys
import tempfile
import unittest

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
FIXTURES = os.path.join(ROOT, "tests", "fixtures")
CHECKPOINTS = os.path.join(FIXTURES, "checkpoints")
sys.path.insert(0, os.path.join(ROOT, "scripts"))
import convert_pytorch_bin  # noqa: E402
import fairseq_names  # noqa: E402
import torch_checkpoint  # noqa: E402

IDS = ("pad_token_id", "eos_token_id", "bos_token_id", "unk_token_id", "decoder_start_token_id")


def tensors(path):
    """Name -> (type, shape, bytes) of a safetensors file."""
    with open(path, "rb") as f:
        data = f.read()
    n = struct.unpack("<Q", data[:8])[0]
    header = json.loads(data[8:8 + n])
    header.pop("__metadata__", None)
    out = {}
    for name, t in header.items():
        a, b = t["data_offsets"]
        out[name] = (t["dtype"], t["shape"], data[8 + n + a:8 + n + b])
    return out


def read_json(*path):
    with open(os.path.join(*path), encoding="utf-8") as f:
        return json.load(f)


class Converting(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.TemporaryDirectory()
        self.out = os.path.join(self.folder.name, "out")

    def tearDown(self):
        self.folder.cleanup()

    def run_script(self, name, *arguments):
        # -S: modules from elsewhere, such as numpy, cannot be found.
        command = [sys.executable, "-S", os.path.join(ROOT, "scripts", name), *arguments]
        return subprocess.run(command, capture_output=True, text=True, check=False)

    def convert(self, name, *arguments):
        done = self.run_script(name, *arguments)
        self.assertEqual((done.returncode, done.stderr), (0, ""), done)
        return done.stdout

    def refuse(self, name, arguments, message):
        done = self.run_script(name, *arguments)
        self.assertEqual(done.returncode, 2, done)
        self.assertIn(message, done.stderr)
        self.assertEqual(len(done.stderr.splitlines()), 1, done.stderr)
        self.assertFalse([n for n in os.listdir(self.folder.name) if n.startswith("out")])

    def check_stet_reads(self):
        """Binds the whole model."""
        again = os.path.join(self.folder.name, "again")
        subprocess.run([os.environ["STET"], "quantize", "--compute_type=float32", self.out, again], check=True,
                       stdout=subprocess.DEVNULL)
        self.assertEqual(tensors(os.path.join(again, "model.safetensors")).keys(),
                         tensors(os.path.join(self.out, "model.safetensors")).keys())

    def compare_fairseq(self, checkpoint, name, also_different=()):
        self.convert("convert_fairseq.py", os.path.join(CHECKPOINTS, checkpoint), self.out)
        want = tensors(os.path.join(FIXTURES, name, "model.safetensors"))
        have = tensors(os.path.join(self.out, "model.safetensors"))
        self.assertEqual(have.keys(), want.keys())
        for key, tensor in want.items():
            self.assertEqual(have[key], tensor, key)
        config, expected = read_json(self.out, "config.json"), read_json(FIXTURES, name, "config.json")
        for key, value in expected.items():
            if key not in IDS and key not in also_different:
                self.assertEqual(config[key], value, key)
        self.assertEqual([config[key] for key in IDS], [1, 2, 0, 3, 2])
        self.check_stet_reads()

    def test_fairseq_old_names_and_old_format(self):
        # The fixture counts positions from 0; fairseq has two rows in front.
        self.compare_fairseq("fairseq_pre_old.pt", "transformer-pre", ("position_offset",))

    def test_fairseq_omegaconf_and_own_output_layer(self):
        self.compare_fairseq("fairseq_learned_cfg.pt", "transformer-learned")

    def test_edgeformer(self):
        self.convert("convert_fairseq.py", os.path.join(CHECKPOINTS, "edge_lora.pt"), self.out)
        want = tensors(os.path.join(CHECKPOINTS, "edge_folded.safetensors"))
        have = tensors(os.path.join(self.out, "model.safetensors"))
        self.assertEqual(have.keys(), want.keys())
        folded = 0
        for key, (kind, shape, data) in want.items():
            self.assertEqual(have[key][:2], (kind, shape), key)
            if have[key][2] == data:
                continue
            self.assertRegex(key, r"encoder\.layers\.\d\.self_attn\.[qv]_proj\.(weight|bias)")
            folded += 1
            n = len(data) // 4
            for a, b in zip(struct.unpack(f"<{n}f", have[key][2]), struct.unpack(f"<{n}f", data)):
                self.assertTrue(abs(a - b) <= 1e-6 * max(1, abs(b)), (key, a, b))
        self.assertGreater(folded, 0)
        config = read_json(self.out, "config.json")
        self.assertEqual([config[k] for k in ("model_type", "encoder_layers", "decoder_layers",
                                              "encoder_attention_groups", "encoder_ffn_groups",
                                              "decoder_shares_attention")], ["edgeformer", 6, 2, 4, 2, True])
        self.check_stet_reads()

    def test_fairseq_tokenizer_files(self):
        spm = os.path.join(FIXTURES, "transformer-post", "spiece.model")
        dictionary = os.path.join(self.folder.name, "d")
        with open(dictionary, "w", encoding="utf-8") as f:
            f.write("".join(f"w{i} 1\n" for i in range(284)))
        said = self.convert("convert_fairseq.py", os.path.join(CHECKPOINTS, "fairseq_pre_old.pt"), self.out, "--dict",
                            dictionary, "--dict", dictionary, "--bpe", spm)
        self.assertNotIn("needs", said)
        for name, source in (("dict.txt", dictionary), ("sentencepiece.bpe.model", spm)):
            with open(os.path.join(self.out, name), "rb") as a, open(source, "rb") as b:
                self.assertEqual(a.read(), b.read())
        report = subprocess.run([os.environ["STET"], "inspect", self.out], capture_output=True, text=True, check=False)
        self.assertIn("sentencepiece with dict.txt, 288 pieces", report.stdout)
        self.assertRegex(report.stdout, r"can be run +yes")
        shutil.rmtree(self.out)
        with open(dictionary, "a", encoding="utf-8") as f:
            f.write("one 1\n")
        checkpoint = os.path.join(CHECKPOINTS, "fairseq_pre_old.pt")
        self.refuse("convert_fairseq.py", [checkpoint, self.out, "--dict", dictionary], "289 entries")
        self.refuse("convert_fairseq.py", [checkpoint, self.out, "--dict", dictionary, "--dict", spm], "differ")
        with open(dictionary, "w", encoding="utf-8") as f:
            f.write("#version: 0.2\na b\n")
        self.refuse("convert_fairseq.py", [checkpoint, self.out, "--bpe", dictionary], "subword-nmt")

    def test_fairseq_refusals(self):
        self.refuse("convert_fairseq.py", [os.path.join(CHECKPOINTS, "kinds_zip.pt"), self.out], "neither args nor cfg")
        os.mkdir(os.path.join(self.folder.name, "full"))
        open(os.path.join(self.folder.name, "full", "x"), "w").close()
        self.refuse("convert_fairseq.py", [os.path.join(CHECKPOINTS, "fairseq_pre_old.pt"),
                                           os.path.join(self.folder.name, "full")], "is there already")

    def model(self, name, change):
        """What convert_fairseq makes of a checkpoint that was changed after it was read."""
        import convert_fairseq
        checkpoint = torch_checkpoint.load(os.path.join(CHECKPOINTS, name))
        change(checkpoint["args"].state, checkpoint["model"])
        return convert_fairseq.config_of(convert_fairseq.Model(checkpoint, name))

    def test_fairseq_names_what_is_not_supported(self):
        def setting(key, value):
            return lambda s, m: s.update({key: value})

        def tensor(new, old):
            return lambda s, m: m.update({new: m[old]})
        fc1 = "encoder.layers.0.fc1.weight"
        for change, message in (
                (setting("arch", "fconv"), "arch is 'fconv'"), (setting("activation_fn", "tanh"), "'tanh'"),
                (setting("adaptive_softmax_cutoff", [10]), "adaptive_softmax_cutoff"),
                (setting("decoder_learned_pos", True), "decoder_learned_pos differ"),
                (setting("encoder_normalize_before", False), "encoder_normalize_before is False"),
                (setting("decoder_attention_heads", None), "decoder_attention_heads is None"),
                (tensor("encoder.conv.weight", fc1), "tensor encoder.conv.weight belongs to none"),
                (tensor("encoder.layers.3.fc1.weight", fc1), "the encoder has no layers, or some are missing"),
                (tensor("encoder.embed_tokens.weight", fc1), "one vocabulary"),
                (lambda s, m: m.pop("encoder.embed_tokens.weight"), "encoder.embed_tokens.weight is missing")):
            with self.assertRaises(torch_checkpoint.CheckpointError, msg=message) as caught:
                self.model("fairseq_pre_old.pt", change)
            self.assertIn(message, str(caught.exception))
        for change, message in ((tensor("encoder.layer_norm.weight", fc1), "EdgeFormer with norms"),
                                (lambda s, m: m.pop("encoder.layers.1.q_lora.linear_u.bias"), "q_lora.* are missing")):
            with self.assertRaises(torch_checkpoint.CheckpointError, msg=message) as caught:
                self.model("edge_lora.pt", change)
            self.assertIn(message, str(caught.exception))

    def test_edgeformer_without_shared_attention(self):
        def change(_, m):
            m["decoder.layers.1.self_attn.k_proj.weight"] = m["encoder.layers.3.self_attn.k_proj.weight"]
        self.assertFalse(self.model("edge_lora.pt", change)["decoder_shares_attention"])

    def compare_bin(self, source, name):
        for file in ("config.json", "generation_config.json", "tokenizer_config.json"):
            if os.path.exists(os.path.join(FIXTURES, name, file)):
                shutil.copy(os.path.join(FIXTURES, name, file), source)
        self.convert("convert_pytorch_bin.py", source, self.out)
        self.assertEqual(tensors(os.path.join(self.out, "model.safetensors")),
                         tensors(os.path.join(FIXTURES, name, "model.safetensors")))
        for file in os.listdir(FIXTURES + "/" + name):
            if file not in ("model.safetensors", "expected.safetensors"):
                with open(os.path.join(FIXTURES, name, file), "rb") as a, open(os.path.join(self.out, file), "rb") as b:
                    self.assertEqual(a.read(), b.read())
        self.check_stet_reads()

    def copy(self, name):
        source = os.path.join(self.folder.name, "in")
        shutil.copytree(os.path.join(CHECKPOINTS, name), source)
        for file in os.listdir(source):
            os.chmod(os.path.join(source, file), 0o644)
        return source

    def test_pytorch_bin(self):
        self.compare_bin(self.copy("hf-single"), "hf-mbart-b")

    def test_pytorch_bin_shards(self):
        self.compare_bin(self.copy("hf-shards"), "hf-m2m-100-b")

    def test_pytorch_bin_refusals(self):
        source = self.copy("hf-shards")
        self.refuse("convert_pytorch_bin.py", [source, self.out], "config.json")
        with open(os.path.join(source, "config.json"), "w", encoding="utf-8") as f:
            f.write("{}")
        path = os.path.join(source, "pytorch_model.bin.index.json")
        index = read_json(path)
        for file, message in (("../x.bin", "not the name of a file"), ("x.safetensors", "not the name of a file"),
                              ("missing.bin", "missing.bin")):
            changed = {"weight_map": dict(index["weight_map"], extra=file)}
            with open(path, "w", encoding="utf-8") as f:
                json.dump(changed, f)
            self.refuse("convert_pytorch_bin.py", [source, self.out], message)
        changed = {"weight_map": dict(index["weight_map"], extra="pytorch_model-00001-of-00002.bin")}
        with open(path, "w", encoding="utf-8") as f:
            json.dump(changed, f)
        self.refuse("convert_pytorch_bin.py", [source, self.out], "tensor extra is not in the file")
        os.remove(path)
        self.refuse("convert_pytorch_bin.py", [source, self.out], "has neither")

    def test_tied_tensors_are_written_once(self):
        storage, other = (torch_checkpoint.Storage("FloatStorage", str(i), 6) for i in range(2))
        one, same, half = ([storage, 0, (2, 3), (3, 1)], [storage, 0, (2, 3), (3, 1)], [storage, 0, (1, 3), (3, 1)])
        found = {"lm_head.weight": torch_checkpoint.Tensor(*one), "a.weight": torch_checkpoint.Tensor(*same),
                 "model.shared.weight": torch_checkpoint.Tensor(*one), "rows": torch_checkpoint.Tensor(*half),
                 "z": torch_checkpoint.Tensor(other, 0, (2, 3), (3, 1))}
        kept = convert_pytorch_bin.without_aliases(found, False)
        self.assertEqual(set(kept), {"model.shared.weight", "rows", "z"})
        kept = convert_pytorch_bin.without_aliases(found, True)
        self.assertEqual(set(kept), {"model.shared.weight", "rows", "z", "lm_head.weight"})

    def test_halves_as_floats(self):
        for kind, data, want in (("F16", "003c00c0", [1.0, -2.0]), ("BF16", "803f00c0", [1.0, -2.0]),
                                 ("F32", "0000803f000000c0", [1.0, -2.0])):
            value = fairseq_names.Slice(torch_checkpoint.Tensor(
                torch_checkpoint.Storage({"F16": "HalfStorage", "BF16": "BFloat16Storage", "F32": "FloatStorage"}[kind],
                                         "0", 2), 0, (2,), (1,)), 0, 2)
            value.tensor.storage.read = lambda data=data: bytes.fromhex(data)
            self.assertEqual(fairseq_names.floats(value), want)


if __name__ == "__main__":
    unittest.main()
