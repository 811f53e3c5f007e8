#!/usr/bin/env python3
"""stet on the device: every model in bfloat16, int8 and float32, greedy and aggressive, alone and in batches.

usage: gpu_stet.py [--dry_run] [--seconds N] [--programs DIR] --work DIR RESULTS

Records: shape (what a model's floors are computed from), ready, latency, throughput, outputs, skipped. A latency is of
sentences handed over as ids, one at a time, each sentence another one; the last model's sentences are handed over as
text. `outputs` tells whether aggressive decoding gave what greedy decoding gave; where it did not, the exit code is 1.
"""

import hashlib
import json
import statistics
import sys
import time

import gpu_common
from bench_worker import Ended

TYPES = ("bfloat16", "int8", "float32")
DRY_TYPES = ("int8", "float32")  # the processor has no bfloat16
DECODINGS = ("greedy", "aggressive")
EDITS = (1, 0, 2)
BATCHES, DRY_BATCHES = (64, 8, 256, 1024), (2,)
REPEATS, CHUNK = 300, 16
# Sentences for a batch of 8, 64 and so on.
PER_BATCH = 4


class Section:
    def __init__(self, args):
        self.args, self.record, self.equal = args, gpu_common.Record(args), True
        self.repeats, self.chunk = (2, 2) if args.dry_run else (REPEATS, CHUNK)
        self.batches = DRY_BATCHES if args.dry_run else BATCHES

    def skip(self, why, **what):
        self.record("skipped", what="stet", reason=why, **what)

    def texts(self, shape):
        return ("own",) if shape == "own" else tuple(f"edits{n}" for n in EDITS)

    def output_of(self, worker, name):
        """The lines that the worker wrote last."""
        path = self.args.work / name
        worker.ask("write", path)
        return gpu_common.lines_of(path)

    def compare(self, want, found, **what):
        """A sentence that one of them did not decode is a difference like any other."""
        differ = sum(a != b for a, b in zip(want, found)) + abs(len(want) - len(found))
        text = "\n".join(found).encode()
        self.equal &= differ == 0
        self.record("outputs", sentences=len(want), empty=found.count(""), sentences_differ=differ,
                    equal_to_greedy=differ == 0, sha256=hashlib.sha256(text).hexdigest(), **what)

    def compare_with_text(self, shape, text, lines, **what):
        """How many come out as the model was made to write them: drafts are then accepted as they are meant to be."""
        path = gpu_common.text_of(self.args, shape, text).with_suffix(".expected.ids")
        if path.exists():
            want = gpu_common.lines_of(path)[:len(lines)]
            self.record("expected", shape=shape, text=text, sentences=len(want),
                        as_made=sum(a == b for a, b in zip(want, lines)), **what)

    def latency(self, worker, shape, kind, clock):
        """Both decodings over all texts; the greedy outputs stay for the comparison."""
        greedy, parts = {}, len(DECODINGS) * len(self.texts(shape))
        for decoding in DECODINGS:
            worker.ask("use", decoding)
            for text in self.texts(shape):
                what = dict(shape=shape, compute_type=kind, text=text, batch=1)
                n = worker.ask("text", gpu_common.text_of(self.args, shape, text))["sentences"]
                worker.ask("ids", 0, n if not self.args.dry_run else 4)
                lines = self.output_of(worker, f"{shape}.{text}")
                if decoding == "greedy":
                    greedy[text] = lines
                    self.compare_with_text(shape, text, lines if not self.args.dry_run else lines[:4],
                                           compute_type=kind)
                else:
                    self.compare(greedy[text], lines, **what)
                ms, counts = gpu_common.sample(worker, n, clock.share(parts), self.repeats, self.chunk)
                self.record("latency", decoding=decoding, ms=ms, **counts, **what)
                parts -= 1

    def throughput(self, worker, shape, kind, clock):
        """All sentences of `mixed` that a batch needs; greedy and aggressive in turn."""
        text = "own" if shape == "own" else "mixed"
        n = worker.ask("text", gpu_common.text_of(self.args, shape, text))["sentences"]
        for batch in (b for b in self.batches if b <= n):
            count, lines = min(n, max(PER_BATCH * batch if batch < 1024 else 2 * batch, 8)), {}
            for decoding in DECODINGS[::-1]:
                what = dict(shape=shape, compute_type=kind, text=text, batch=batch)
                if clock.left() <= 0:
                    self.skip("time", decoding=decoding, **what)
                    continue
                worker.ask("use", decoding)
                worker.ask("many", batch, "-", min(count, batch))  # not counted
                rounds = [worker.ask("many", batch, "-", count)]
                while len(rounds) < 3 and clock.left() > 0 and not self.args.dry_run:
                    rounds.append(worker.ask("many", batch, "-", count))
                lines[decoding] = self.output_of(worker, f"{shape}.many")[:count]
                self.record("throughput", decoding=decoding, ms=[r["ms"] for r in rounds],
                            **{k: v for k, v in rounds[-1].items() if k != "ms"}, **what)
            if len(lines) == 2:
                self.compare(lines["greedy"], lines["aggressive"], **what)

    def measure(self, shape, kind, clock):
        why = gpu_common.wait_for_model(self.args, shape, clock)
        if why is not None:
            self.skip(why, shape=shape, compute_type=kind)
            return
        try:
            started = time.monotonic()
            worker = gpu_common.start_stet(self.args, shape, self.texts(shape)[0], compute_type=kind, seconds=120)
            self.record("ready", shape=shape, compute_type=kind, device=self.args.device,
                        seconds=time.monotonic() - started, **worker.ready)
            self.latency(worker, shape, kind, gpu_common.Clock(0.6 * clock.left()))
            self.throughput(worker, shape, kind, clock)
            self.record("memory", shape=shape, compute_type=kind, **worker.ask("memory"))
            worker.close()
        except Ended as e:
            self.equal = False
            log = gpu_common.lines_of(self.args.work / "bench_stet.log")
            self.record("failed", what="stet", shape=shape, compute_type=kind, reason=f"{e}; {' '.join(log[-2:])}")


def write_shape(section, shape):
    """What floors and work are computed from."""
    args = section.args
    config = json.loads((gpu_common.model_folder(args, shape) / "config.json").read_text(encoding="utf-8"))
    texts = {}
    for text in () if shape == "own" else section.texts(shape) + ("mixed",):
        tokens = {}
        for side in ("source", "expected"):
            path = gpu_common.text_of(args, shape, text).with_suffix(f".{side}.ids")
            tokens[side] = statistics.mean(len(line.split()) + 1 for line in gpu_common.lines_of(path))
        texts[text] = tokens
    section.record("shape", shape=shape, config=config, tokens=texts)


def main():
    args = gpu_common.arguments("stet", __doc__.split("\n\n")[1].removeprefix("usage: "))
    section, clock, written = Section(args), gpu_common.Clock(args.seconds), set()
    plan = [(kind, shape) for kind in (DRY_TYPES if args.dry_run else TYPES) for shape in args.shapes]
    for i, (kind, shape) in enumerate(plan):
        if clock.left() <= 0:
            section.skip("time", shape=shape, compute_type=kind)
            continue
        section.measure(shape, kind, clock.share(len(plan) - i))
        if shape not in written and gpu_common.wait_for_model(args, shape, gpu_common.Clock(0)) is None:
            write_shape(section, shape)
            written.add(shape)
    return 0 if section.equal else 1


if __name__ == "__main__":
    sys.exit(main())
