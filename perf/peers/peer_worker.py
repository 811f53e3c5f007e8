#!/usr/bin/env python3
"""One of the other systems, measured by peers_run.py: the same commands and answers as bench_stet.c.

usage: peer_worker.py SYSTEM FOLDER TEXT THREADS

SYSTEM: ctranslate2-int8, ctranslate2-float32, onnxruntime-int8, onnxruntime-float32 or transformers-float32, all of
them greedy (beam size 1). Text is cut by the sentencepiece library itself, the fastest way from Python.
"""

import importlib.metadata
import json
import pathlib
import sys
import time

EOS, LONGEST = 0, 256


class CTranslate2:
    package = "ctranslate2"

    def __init__(self, folder, kind, threads):
        import ctranslate2
        self.imported = time.perf_counter()
        self.module, self.path, self.kind = ctranslate2, str(folder / f"ctranslate2-{kind}"), kind
        self.threads, self.translators = threads, {}
        self._translator("intra")

    def _translator(self, layout):
        """intra: all threads in one batch. inter: one thread a batch, several batches at a time."""
        if layout not in self.translators:
            intra, inter = (self.threads, 1) if layout == "intra" else (1, self.threads)
            self.translators[layout] = self.module.Translator(
                self.path, device="cpu", compute_type=self.kind, intra_threads=intra, inter_threads=inter)
        return self.translators[layout]

    def set_pieces(self, pieces):
        self.pieces, self.ids = pieces, {p: i for i, p in enumerate(pieces)}

    def prepare(self, ids):
        """It takes pieces, not ids."""
        return [self.pieces[i] for i in ids] + [self.pieces[EOS]]

    def finish(self, hypothesis):
        return [self.ids[p] for p in hypothesis]

    def decode(self, prepared, batch=1, layout="intra"):
        found = self._translator(layout).translate_batch(
            prepared, beam_size=1, max_batch_size=batch, batch_type="examples", max_decoding_length=LONGEST)
        return [f.hypotheses[0] for f in found]


class PaddedBatches:
    """For what takes batches of one length: sentences of about the same length together."""

    def prepare(self, ids):
        return ids + [EOS]

    def finish(self, ids):
        return ids

    def set_pieces(self, pieces):
        self.pad = len(pieces) - 1

    def decode(self, prepared, batch=1, layout="intra"):
        del layout
        order = sorted(range(len(prepared)), key=lambda i: -len(prepared[i]))
        out = [None] * len(prepared)
        for begin in range(0, len(order), batch):
            rows = order[begin:begin + batch]
            for i, ids in zip(rows, self.decode_batch([prepared[i] for i in rows])):
                out[i] = ids[:ids.index(EOS)] if EOS in ids else ids
        return out

    def padded(self, rows):
        longest = max(map(len, rows))
        return ([r + [self.pad] * (longest - len(r)) for r in rows],
                [[1] * len(r) + [0] * (longest - len(r)) for r in rows])


class OnnxRuntime(PaddedBatches):
    """Encoder, then decoder step by step; keys and values stay in ONNX Runtime's own memory."""
    package = "onnxruntime"

    def __init__(self, folder, kind, threads):
        import numpy
        import onnxruntime
        self.imported = time.perf_counter()
        self.numpy, self.value = numpy, onnxruntime.OrtValue.ortvalue_from_numpy
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads, options.inter_op_num_threads = threads, 1
        path = folder / f"onnxruntime-{kind}"
        self.encoder, self.decoder = (
            onnxruntime.InferenceSession(path / name, options, providers=["CPUExecutionProvider"])
            for name in ("encoder_model.onnx", "decoder_model_merged.onnx"))
        self.outputs = [o.name for o in self.decoder.get_outputs()]
        self.past = [i.name for i in self.decoder.get_inputs() if i.name.startswith("past_key_values")]
        head = {i.name: i.shape for i in self.decoder.get_inputs()}[self.past[0]]
        self.heads, self.head = head[1], head[3]

    def decode_batch(self, rows):
        np, value = self.numpy, self.value
        ids, mask = (value(np.array(x, np.int64)) for x in self.padded(rows))
        hidden, = self.encoder.run_with_ort_values(["last_hidden_state"], {"input_ids": ids, "attention_mask": mask})
        empty = value(np.zeros((len(rows), self.heads, 0, self.head), np.float32))
        feed = {"encoder_attention_mask": mask, "encoder_hidden_states": hidden,
                "use_cache_branch": value(np.array([False])), **{name: empty for name in self.past}}
        last, done, out = np.full(len(rows), self.pad, np.int64), np.zeros(len(rows), bool), []
        while not done.all() and len(out) < LONGEST:
            feed["input_ids"] = value(last[:, None])
            found = dict(zip(self.outputs, self.decoder.run_with_ort_values(self.outputs, feed)))
            last = found["logits"].numpy()[:, -1].argmax(-1)
            out.append(last)
            done |= last == EOS
            for name in self.past:
                if ".decoder." in name or len(out) == 1:
                    feed[name] = found[name.replace("past_key_values", "present")]
            if len(out) == 1:
                feed["use_cache_branch"] = value(np.array([True]))
        return np.stack(out, 1).tolist()


class Transformers(PaddedBatches):
    package = "transformers"

    def __init__(self, folder, kind, threads):
        import torch
        import transformers
        self.imported = time.perf_counter()
        torch.set_num_threads(threads)
        torch.set_grad_enabled(False)
        transformers.logging.set_verbosity_error()
        self.torch = torch
        self.model = transformers.MarianMTModel.from_pretrained(folder / "model", dtype=getattr(torch, kind)).eval()

    def decode_batch(self, rows):
        ids, mask = map(self.torch.tensor, self.padded(rows))
        found = self.model.generate(ids, attention_mask=mask, num_beams=1, do_sample=False, max_length=LONGEST)
        return found[:, 1:].tolist()


SYSTEMS = {"ctranslate2": CTranslate2, "onnxruntime": OnnxRuntime, "transformers": Transformers}


class Worker:
    def __init__(self, system, folder, text, threads):
        import sentencepiece
        started, name = time.perf_counter(), system.split("-")
        self.system = SYSTEMS[name[0]](folder, name[1], threads)
        self.processor = sentencepiece.SentencePieceProcessor(model_file=str(folder / "model" / "source.spm"))
        pieces = [self.processor.id_to_piece(i) for i in range(self.processor.get_piece_size())]
        self.system.set_pieces(pieces + ["<pad>"])
        self.lines = pathlib.Path(text + ".source.txt").read_text(encoding="utf-8").splitlines()
        ids = pathlib.Path(text + ".source.ids").read_text(encoding="utf-8").splitlines()
        self.prepared = [self.system.prepare([int(i) for i in line.split()]) for line in ids]
        self.outputs = [[] for _ in ids]
        self.ready = {"version": importlib.metadata.version(self.system.package),
                      "import_ms": 1e3 * (self.system.imported - started),
                      "load_ms": 1e3 * (time.perf_counter() - self.system.imported)}

    def one(self, begin, end):
        """Text and ids are the same call here: the time of the decoder alone is taken inside."""
        text_ms, ids_ms = [], []
        for i in range(int(begin), min(int(end), len(self.lines))):
            start = time.perf_counter()
            prepared = self.system.prepare(self.processor.encode(self.lines[i]))
            decoding = time.perf_counter()
            found = self.system.decode([prepared])[0]
            decoded = time.perf_counter()
            self.processor.decode(self.system.finish(found))
            text_ms.append(round(1e3 * (time.perf_counter() - start), 4))
            ids_ms.append(round(1e3 * (decoded - decoding), 4))
            self.outputs[i] = found
        return {"text_ms": text_ms, "ids_ms": ids_ms}

    def many(self, batch, layout):
        start = time.perf_counter()
        self.outputs = self.system.decode(self.prepared, int(batch), layout)
        return {"ms": 1e3 * (time.perf_counter() - start)}

    def write(self, path):
        lines = [" ".join(map(str, self.system.finish(found))) for found in self.outputs]
        pathlib.Path(path).write_text("\n".join(lines) + "\n", encoding="utf-8")
        return {"written": len(lines)}

    @staticmethod
    def memory():
        for line in pathlib.Path("/proc/self/status").read_text(encoding="ascii").splitlines():
            if line.startswith("VmHWM:"):
                return {"peak_resident_bytes": 1024 * int(line.split()[1])}
        return {}


def main():
    system, folder, text, threads = sys.argv[1:]
    worker = Worker(system, pathlib.Path(folder), text, int(threads))
    print(json.dumps(worker.ready), flush=True)
    for line in sys.stdin:
        words = line.split()
        if words[0] not in ("one", "many", "write", "memory"):
            sys.exit(f"unknown command {line}")
        print(json.dumps(getattr(worker, words[0])(*words[1:])), flush=True)


if __name__ == "__main__":
    main()
