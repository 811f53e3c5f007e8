"""What the sections of perf/gpu/run.sh share: their arguments, their time, the file of results, the models."""

import argparse
import json
import os
import pathlib
import sys
import time

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parent.parent
sys.path.insert(0, str(ROOT / "perf/peers"))

import bench_worker  # noqa: E402  (from perf/peers)

# In the order in which they are measured: when time runs out the last ones are missing. `own` is the default model
# of the tree, on the sentences of perf/latency; all others are made by perf/peers/make_copy_model.py.
SHAPES = ("base", "bart", "edgeformer", "big", "t5", "own")
DRY_SHAPES = ("tiny", "own")
# Tokens of a source and of an output; caches of a batch of 1024 must fit into the card.
LENGTH = 128


class Record:
    """Adds lines of JSON to the results; each tells its section and whether it is of a dry run."""

    def __init__(self, args):
        self.file = open(args.results, "a", encoding="utf-8")
        self.every = {"section": args.section}
        if args.dry_run:
            self.every["dry_run"] = True

    def __call__(self, kind, **fields):
        self.file.write(json.dumps({"record": kind, **self.every, **fields}) + "\n")
        self.file.flush()


class Clock:
    """How much of a section's time is left."""

    def __init__(self, seconds):
        self.end = time.monotonic() + seconds

    def left(self):
        return self.end - time.monotonic()

    def share(self, parts):
        """A clock for the next of so many parts that are still to come."""
        return Clock(max(0.0, self.left()) / parts)


def arguments(section, usage):
    parser = argparse.ArgumentParser(usage=usage)
    parser.add_argument("--dry_run", action="store_true", help="tiny, on the processor")
    parser.add_argument("--seconds", type=float, default=600, help="after these nothing new is begun")
    parser.add_argument("--programs", type=pathlib.Path, default=ROOT / "build", help="a build folder or a bundle")
    parser.add_argument("--work", type=pathlib.Path, required=True, help="for models and texts")
    parser.add_argument("results", type=pathlib.Path, help="lines of JSON are added to it")
    args = parser.parse_args()
    args.section = section
    args.device = "cpu" if args.dry_run else "cuda"
    args.threads = min(16, len(os.sched_getaffinity(0)))
    args.shapes = DRY_SHAPES if args.dry_run else SHAPES
    return args


def model_folder(args, shape):
    return ROOT / "models/stet-edge-en" if shape == "own" else args.work / shape / "model"


def text_of(args, shape, name):
    """Without the endings .source.txt and .source.ids."""
    if shape != "own":
        return args.work / shape / "text" / name
    copy = args.work / "own.source.txt"
    if not copy.exists():
        copy.write_bytes((ROOT / "perf/latency/sentences.txt").read_bytes())
    return args.work / "own"


def wait_for_model(args, shape, clock):
    """Why it cannot be measured, or None once it is there: models are made while other sections run."""
    while shape != "own":
        if (args.work / shape / "made").exists():
            return None
        if (args.work / f"{shape}.failed").exists():
            return "the model could not be made: " + (args.work / f"{shape}.failed").read_text(encoding="utf-8")[-300:]
        if clock.left() <= 0:
            return "the model was not ready in time"
        time.sleep(0.2)
    return None if model_folder(args, shape).exists() else "models/stet-edge-en is not there"


def start_stet(args, shape, text, **options):
    """bench_stet on a model. options: compute_type, device, decoding, seconds."""
    command = [args.programs / "perf/bench_stet", model_folder(args, shape), options["compute_type"],
               options.get("decoding", "greedy"), text_of(args, shape, text), args.threads, "auto",
               options.get("device", args.device), LENGTH]
    with open(args.work / "bench_stet.log", "a", encoding="utf-8") as log:
        return bench_worker.Worker(f"stet {options['compute_type']}", command, options.get("seconds"), stderr=log)


def sample(worker, sentences, clock, most, chunk):
    """At least one and at most `most` sentences one at a time, always other ones: their milliseconds, and the sums of
    what else the worker counted. The first chunk is not counted."""
    worker.ask("ids", 0, chunk)
    ms, counts, at = [], {}, chunk % sentences
    while not ms or (len(ms) < most and clock.left() > 0):
        answer = worker.ask("ids", at, at + chunk)
        ms += answer.pop("ids_ms")
        for key, value in answer.items():
            counts[key] = counts.get(key, 0) + value
        at = at + chunk if at + chunk < sentences else 0
    return ms, counts


def lines_of(path):
    return pathlib.Path(path).read_text(encoding="utf-8", errors="replace").split("\n")[:-1]
