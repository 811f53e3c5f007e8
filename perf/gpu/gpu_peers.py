#!/usr/bin/env python3
"""transformers on the device, and stet on the processor, with the weights and sentences that gpu_stet.py measures.

usage: gpu_peers.py [--dry_run] [--seconds N] [--programs DIR] --work DIR RESULTS

Records: ready, latency and throughput as gpu_stet.py's, with `system`; agreement, how many outputs are those that the
model was made to write; skipped and failed. Systems: transformers eager, transformers compiled (whose first call, in
which it compiles, may take 60 seconds), stet on the processor. All of them are greedy but the last, which is both.
"""

import importlib.util
import os
import sys
import time

import gpu_common
from bench_worker import Ended, Worker

SHAPES = ("base", "bart", "edgeformer", "big", "t5")
BATCHES = (64, 256)
COMPILE_SECONDS, START_SECONDS, ANSWER_SECONDS = 60, 90, 30
# Most seconds of one measurement, what it loads not counted.
ALONE_SECONDS, BATCHED_SECONDS, PROCESSOR_SECONDS = 5, 5, 6
REPEATS, CHUNK = 100, 4
TEXT, MANY = "edits1", "mixed"


class Section:
    def __init__(self, args):
        self.args, self.record, self.clock = args, gpu_common.Record(args), gpu_common.Clock(args.seconds)
        self.repeats, self.chunk, self.sentences = (2, 1, 4) if args.dry_run else (REPEATS, CHUNK, 64)
        self.batches = (2,) if args.dry_run else BATCHES
        self.dtype = "float32" if args.dry_run else "bfloat16"
        self.worker = self.mode = self.shape = None

    def limit(self, most):
        """A dry run may be slow, but it ends."""
        return most if not self.args.dry_run else 10 * most

    def load(self, shape, mode):
        """One process for each mode: its start takes longer than most measurements."""
        if self.mode != mode or self.worker is None:
            self.stop()
            env = dict(os.environ, LD_LIBRARY_PATH=os.environ.get("LIBRARIES_BEFORE", ""))
            with open(self.args.work / "torch.log", "a", encoding="utf-8") as log:
                self.worker = Worker(f"transformers {mode}", [sys.executable, gpu_common.HERE / "gpu_torch_worker.py",
                                                              mode, self.args.device, self.dtype],
                                     self.limit(START_SECONDS), stderr=log, env=env)
            self.mode = mode
            self.record("ready", system=f"transformers {mode}", **self.worker.ready)
        if self.shape != shape:
            self.worker.ask("model", gpu_common.model_folder(self.args, shape), seconds=self.limit(START_SECONDS))
            self.shape = shape
        return dict(shape=shape, system=f"transformers {mode}", compute_type=self.dtype)

    def stop(self):
        if self.worker is not None:
            self.worker.close()
        self.worker = self.mode = self.shape = None

    def agreement(self, text, **what):
        """With what the model was made to write, of the sentences that were decoded."""
        path = self.args.work / "peer.ids"
        self.worker.ask("write", path)
        want = gpu_common.text_of(self.args, what["shape"], text).with_suffix(".expected.ids")
        done = [(a, b) for a, b in zip(gpu_common.lines_of(want), gpu_common.lines_of(path)) if b != ""]
        self.record("agreement", text=text, sentences=len(done), as_made=sum(a == b for a, b in done), **what)

    def alone(self, shape, mode):
        what = self.load(shape, mode)
        self.worker.ask("text", gpu_common.text_of(self.args, shape, TEXT))
        started = time.monotonic()
        self.worker.ask("ids", 0, 1, seconds=self.limit(COMPILE_SECONDS))
        first = time.monotonic() - started
        clock = gpu_common.Clock(min(ALONE_SECONDS, self.clock.left()))
        ms, counts = gpu_common.sample(self.worker, self.sentences, clock, self.repeats, self.chunk)
        self.record("latency", decoding="greedy", text=TEXT, batch=1, first_seconds=first, ms=ms, **counts, **what)
        self.agreement(TEXT, **what)

    def batched(self, shape, mode):
        what = self.load(shape, mode)
        self.worker.ask("text", gpu_common.text_of(self.args, shape, MANY))
        clock = gpu_common.Clock(min(BATCHED_SECONDS, self.clock.left()))
        for batch in self.batches:
            rounds = []
            while len(rounds) < 2 or (len(rounds) < 4 and clock.left() > 0 and not self.args.dry_run):
                rounds.append(self.worker.ask("many", batch, "-", batch, seconds=self.limit(ANSWER_SECONDS)))
            self.record("throughput", decoding="greedy", text=MANY, batch=batch, ms=[r["ms"] for r in rounds[1:]],
                        sentences=rounds[-1]["sentences"], **what)
        self.agreement(MANY, **what)

    def processor(self, shape, mode):
        """stet without the device: int8, all cores."""
        worker = gpu_common.start_stet(self.args, shape, TEXT, compute_type="int8", device="cpu",
                                       seconds=self.limit(START_SECONDS))
        for decoding in ("greedy", "aggressive"):
            worker.ask("use", decoding)
            clock = gpu_common.Clock(min(PROCESSOR_SECONDS / 2, self.clock.left()))
            ms, counts = gpu_common.sample(worker, self.sentences, clock, self.repeats, self.chunk)
            self.record("latency", shape=shape, system=f"stet on the {mode}", compute_type="int8", decoding=decoding,
                        text=TEXT, batch=1, threads=self.args.threads, ms=ms, **counts)
        worker.close()

    def why_not(self, shape, mode):
        if self.clock.left() <= 0:
            return "time"
        if mode != "processor" and importlib.util.find_spec("torch") is None:
            return "PyTorch is not there"
        return gpu_common.wait_for_model(self.args, shape, self.clock)

    def try_to(self, what, shape, mode):
        reason = self.why_not(shape, mode)
        if reason is not None:
            self.record("skipped", what=what.__name__, shape=shape, system=mode, reason=reason)
            return
        try:
            what(shape, mode)
        except Ended as e:
            self.worker = None  # the next one starts anew
            log = self.args.work / ("bench_stet.log" if mode == "processor" else "torch.log")
            self.record("failed", what=what.__name__, shape=shape, system=mode,
                        reason=f"{e}; {' '.join(gpu_common.lines_of(log)[-2:])}")


def main():
    args = gpu_common.arguments("peers", __doc__.split("\n\n")[1].removeprefix("usage: "))
    section, shapes = Section(args), ("tiny",) if args.dry_run else SHAPES
    plan = []
    for i, shape in enumerate(shapes):
        plan.append((section.alone, shape, "eager"))
        plan += [(section.batched, shape, "eager")] if i < 3 else []
    plan += [(section.processor, shape, "processor") for shape in shapes]
    plan += [(section.alone, shape, "compiled") for shape in shapes[:3]]  # may take a minute each
    for what, shape, mode in plan:
        section.try_to(what, shape, mode)
    section.stop()
    return 0


if __name__ == "__main__":
    sys.exit(main())
