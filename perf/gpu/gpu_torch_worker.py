#!/usr/bin/env python3
"""Hugging Face transformers as one of the systems of gpu_peers.py: the commands text, ids, many and write of
bench_stet.c, and `model FOLDER`, which comes first.

usage: gpu_torch_worker.py MODE DEVICE DTYPE

MODE: eager, `generate` as it comes, or compiled, with a static cache, for which transformers has the decoder compiled
by torch.compile on a GPU. DEVICE: cuda or cpu. DTYPE: bfloat16 or float32. Greedy, attention by PyTorch's
scaled_dot_product_attention.
Sentences handed over together are sorted by length. Times end when the ids are in the host's memory.
"""

import importlib.metadata
import json
import pathlib
import sys
import time

LONGEST = 128


class Worker:
    def __init__(self, mode, device, dtype):
        started = time.perf_counter()
        import torch
        import transformers
        torch.set_grad_enabled(False)
        if device == "cpu":
            torch.set_num_threads(1)  # a dry run is no measurement
        transformers.logging.set_verbosity_error()
        self.torch, self.transformers = torch, transformers
        self.device, self.dtype, self.compiled = device, getattr(torch, dtype), mode == "compiled"
        self.loaded = None
        self.ready = {"version": importlib.metadata.version("transformers"), "torch": torch.__version__,
                      "import_ms": 1e3 * (time.perf_counter() - started)}

    def model(self, folder):
        started = time.perf_counter()
        self.loaded = None  # its memory first
        self.loaded = self.transformers.MarianMTModel.from_pretrained(
            folder, dtype=self.dtype, attn_implementation="sdpa").eval().to(self.device)
        self.loaded.generation_config.bad_words_ids = None  # the model never wants padding; it is quicker without
        self.eos, self.pad = self.loaded.config.eos_token_id, self.loaded.config.pad_token_id
        return {"load_ms": 1e3 * (time.perf_counter() - started)}

    def text(self, name):
        lines = pathlib.Path(name + ".source.ids").read_text(encoding="utf-8").splitlines()
        self.sources = [[int(i) for i in line.split()] + [self.eos] for line in lines]
        self.outputs = [[] for _ in lines]
        return {"sentences": len(lines)}

    def generate(self, rows):
        """The output ids of source rows, which end with the end-of-sentence token. Where the decoder is compiled, all
        sources are as long as the longest can be: every other length would be compiled anew."""
        longest = LONGEST // 2 if self.compiled else max(map(len, rows))
        ids = self.torch.tensor([r + [self.pad] * (longest - len(r)) for r in rows], device=self.device)
        mask = self.torch.tensor([[1] * len(r) + [0] * (longest - len(r)) for r in rows], device=self.device)
        options = {"cache_implementation": "static"} if self.compiled else {}
        found = self.loaded.generate(ids, attention_mask=mask, num_beams=1, do_sample=False, max_length=LONGEST,
                                    **options)[:, 1:].tolist()
        return [f[:f.index(self.eos)] if self.eos in f else f for f in found]

    def ids(self, begin, end):
        ms = []
        for i in range(int(begin), min(int(end), len(self.sources))):
            start = time.perf_counter()
            self.outputs[i] = self.generate([self.sources[i]])[0]
            ms.append(1e3 * (time.perf_counter() - start))
        return {"ids_ms": ms, "sentences": len(ms)}

    def many(self, batch, layout, count):
        del layout
        start = time.perf_counter()
        order = sorted(range(min(int(count), len(self.sources))), key=lambda i: -len(self.sources[i]))
        for begin in range(0, len(order), int(batch)):
            rows = order[begin:begin + int(batch)]
            for i, ids in zip(rows, self.generate([self.sources[i] for i in rows])):
                self.outputs[i] = ids
        return {"ms": 1e3 * (time.perf_counter() - start), "sentences": len(order)}

    def write(self, path):
        lines = [" ".join(map(str, ids)) for ids in self.outputs]
        pathlib.Path(path).write_text("\n".join(lines) + "\n", encoding="utf-8")
        return {"written": len(lines)}


def main():
    worker = Worker(*sys.argv[1:])
    print(json.dumps(worker.ready), flush=True)
    for line in sys.stdin:
        words = line.split()
        if words[0] not in ("model", "text", "ids", "many", "write"):
            sys.exit(f"unknown command {line}")
        print(json.dumps(getattr(worker, words[0])(*words[1:])), flush=True)


if __name__ == "__main__":
    main()
