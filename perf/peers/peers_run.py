#!/usr/bin/env python3
"""Measures stet and its peers on the same weights, text and cores, in turn; peers.sh calls it.

usage: peers_run.py [--rounds N] [--threads N] [--sentences N] [--shapes edge base] OUTDIR

For each shape of OUTDIR/SHAPE (made by make_copy_model.py and convert_peers.py) appends lines of JSON to
OUTDIR/peers.jsonl, each a record of one kind: machine, ceiling, ready, cold, memory, disk, latency, throughput,
outputs, sweep. What the fields mean is said where they are written. A measurement is a turn of one system; all systems
have their turn, in another order each round, before the next round. Exits 1 when stet's outputs differ between greedy
and aggressive decoding of one type.
"""

import argparse
import datetime
import importlib.metadata
import json
import os
import pathlib
import subprocess
import sys
import time

import bench_worker

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parent.parent
STET = [f"stet-{kind}-{decoding}" for kind in ("int8", "float32") for decoding in ("aggressive", "greedy")]
PEERS = ["ctranslate2-int8", "onnxruntime-int8", "ctranslate2-float32", "onnxruntime-float32", "transformers-float32"]
REFERENCE = "stet-float32-greedy"
# It takes ten times as long as the others, and little is decided by its last digit.
ONE_ROUND = {"transformers-float32"}
BATCHES, CHUNK = (32, 128), 32
# Threads of some systems spin for up to 0.2 s after their work is done.
SETTLE = 0.25
# So many sentences are enough one at a time where all of them would take long.
FEW, FEW_SHAPES = 64, {"base"}
SWEEP = (0, 1, 2, 3, 4, 6, 8, 12)


def start(args, shape, system, text="mixed", window="auto"):
    """A process of one system."""
    folder = args.outdir / shape
    source = str(folder / "text" / text)
    if system.startswith("stet-"):
        _, kind, decoding = system.split("-")
        model = folder / ("stet-int8" if kind == "int8" else "model")
        command = [ROOT / "build/perf/bench_stet", model, kind, decoding, source, args.threads, window]
    else:
        command = [sys.executable, HERE / "peer_worker.py", system, folder, source, args.threads]
    cores = ",".join(map(str, sorted(os.sched_getaffinity(0))[:args.threads]))
    return bench_worker.Worker(system, ["taskset", "-c", cores] + command)


class Record:
    def __init__(self, path):
        self.file = open(path, "w", encoding="utf-8")

    def __call__(self, kind, **fields):
        self.file.write(json.dumps({"record": kind, **fields}) + "\n")
        self.file.flush()


def output_of(*command):
    return subprocess.run(command, capture_output=True, text=True, check=True, cwd=ROOT).stdout.strip()


def pairs_of(*command):
    """One dict for each line of key=value pairs."""
    return [dict(word.split("=", 1) for word in line.split()) for line in output_of(*command).splitlines()]


def cpu_name():
    info = pathlib.Path("/proc/cpuinfo").read_text(encoding="utf-8")
    name = next((x.split(":", 1)[1].strip() for x in info.splitlines() if x.startswith("model name")), "unknown")
    flags = set(next((x for x in info.splitlines() if x.startswith("flags")), "").split())
    return name + "".join(f", {label}" for flag, label in (("avx2", "AVX2"), ("avx512_vnni", "AVX-512 VNNI"))
                          if flag in flags)


def commit():
    """The commit that was built, marked when sources differ from it; results are not sources."""
    found = subprocess.run(["git", "-C", str(ROOT), "rev-parse", "--short", "HEAD"], capture_output=True, text=True)
    if found.returncode != 0:
        return "unknown"
    changed = output_of("git", "status", "--porcelain", "--", "host", "tokenizer", "models", "perf/peers")
    return found.stdout.strip() + (" with changes" if changed else "")


def write_machine(record, args):
    record("machine", cpu=cpu_name(), processors=os.cpu_count(), threads=args.threads, commit=commit(),
           date=str(datetime.date.today()), load=os.getloadavg()[0], rounds=args.rounds, command=args.command)


def write_ceiling(record, args):
    """At the start and at the end: the best of both counts."""
    threads = str(args.threads)
    peak = pairs_of("build/perf/bench_peak", threads)[0]
    memory = pairs_of("build/perf/bench_memory", threads)[0]
    record("ceiling", float32_gops=float(peak["float32"]), int8_gops=float(peak["int8"]),
           read_gb_per_second=float(memory["gb_per_second"]))


def bytes_under(folder):
    return sum(p.stat().st_size for p in folder.rglob("*") if p.is_file() and not p.is_symlink())


def installed_bytes(package):
    """The files of a package alone, without those of what it needs."""
    files = importlib.metadata.files(package) or []
    return sum(f.locate().stat().st_size for f in files if f.locate().exists())


def write_disk(record, args, shape):
    """Bytes of the folder that a system reads, and of its own installed files."""
    library = (ROOT / "build/libstet.so").resolve().stat().st_size
    folders = {"stet-int8": ("stet-int8", library), "stet-float32": ("model", library)}
    for peer in PEERS:
        name = peer.split("-")[0]
        extra = installed_bytes("torch") if name == "transformers" else 0
        folders[peer] = ("model" if extra else peer, installed_bytes(name) + extra)
    for system, (folder, runtime) in folders.items():
        record("disk", shape=shape, system=system, model_bytes=bytes_under(args.outdir / shape / folder),
               runtime_bytes=runtime)


def cold_starts(record, args, shape):
    """From the start of the process to the first corrected text, files in the page cache; then memory at batch 1."""
    for i in range(args.cold + 1):
        for system in turn(args.systems, i):
            time.sleep(SETTLE)
            worker = start(args, shape, system)
            first = worker.ask("one", 0, 1)
            ms = 1e3 * (time.perf_counter() - worker.started)
            # The first time may have read from the disk. Systems that take text and ids in turn did the work twice.
            if i > 0:
                again = first["ids_ms"][0] if system in STET else 0
                record("cold", shape=shape, system=system, ms=ms - again, first_ms=first["text_ms"][0], **worker.ready)
            else:
                worker.ask("one", 0, CHUNK)
                record("memory", shape=shape, system=system, batch=1, **worker.ask("memory"))
            worker.close()


def turn(systems, i):
    """The same systems, another one first."""
    at = i % len(systems)
    return systems[at:] + systems[:at]


def takes_part(system, i):
    return i == 0 or system not in ONE_ROUND


def lines_of(path):
    return path.read_text(encoding="utf-8").splitlines()


def save_outputs(worker, args, shape, name):
    folder = args.outdir / shape / "outputs"
    folder.mkdir(exist_ok=True)
    worker.ask("write", folder / f"{worker.system}.{name}")


def sentences_of(args, shape):
    """How many there are, and how many are decoded one at a time."""
    every = len(lines_of(args.outdir / shape / "text" / "mixed.source.ids"))
    return every, min(every, FEW) if shape in FEW_SHAPES else every


def measure_latency(record, args, shape, workers):
    every, sentences = sentences_of(args, shape)
    for i in range(args.rounds):
        for begin in range(0, sentences, CHUNK):
            for system in turn(args.systems, i + begin // CHUNK):
                if takes_part(system, i):
                    time.sleep(SETTLE)
                    record("latency", shape=shape, system=system, round=i, begin=begin,
                           **workers[system].ask("one", begin, begin + CHUNK))
    for system, worker in workers.items():
        if system.endswith("-greedy"):  # what all others are compared with
            worker.ask("one", sentences, every)
        save_outputs(worker, args, shape, "1")


def layouts_of(system):
    """CTranslate2 can spread threads over one batch or over several; both are measured."""
    return ("intra", "inter") if system.startswith("ctranslate2") else ("intra",)


def measure_throughput(record, args, shape, workers):
    for batch in BATCHES:
        for i in range(args.rounds + 1):  # the first time is not counted
            for system in turn(args.systems, i):
                for layout in layouts_of(system) if takes_part(system, max(i - 1, 0)) else ():
                    if i == 0 and system in ONE_ROUND:
                        continue
                    time.sleep(SETTLE)
                    answer = workers[system].ask("many", batch, layout)
                    if i > 0:
                        record("throughput", shape=shape, system=system, batch=batch, layout=layout, round=i - 1,
                               **answer)
        for system, worker in workers.items():
            save_outputs(worker, args, shape, str(batch))
            record("memory", shape=shape, system=system, batch=batch, **worker.ask("memory"))


def compare_outputs(record, args, shape):
    """Token for token with what stet's float32 greedy decoding gives; returns whether stet keeps its own promise."""
    folder, kept, alone = args.outdir / shape / "outputs", True, sentences_of(args, shape)[1]
    want = lines_of(folder / f"{REFERENCE}.1")
    promised = {system: f"stet-{system.split('-')[1]}-greedy" for system in STET}
    for system in args.systems:
        for batch in (1,) + BATCHES:
            count = alone if batch == 1 else len(want)
            found = lines_of(folder / f"{system}.{batch}")[:count]
            write_outputs(record, want[:count], found, shape=shape, system=system, batch=batch)
            if system in promised and found != lines_of(folder / f"{promised[system]}.1")[:count]:
                print(f"peers_run.py: {shape}: {system} in batches of {batch} differs from greedy", file=sys.stderr)
                kept = False
    expected = lines_of(args.outdir / shape / "text" / "mixed.expected.ids")
    write_outputs(record, want, expected, shape=shape, system="made text", batch=0)
    return kept


def write_outputs(record, want, found, **what):
    record("outputs", **what, sentences=len(want), tokens=sum(len(line.split()) for line in want),
           sentences_differ=sum(a != b for a, b in zip(want, found)) + abs(len(want) - len(found)),
           tokens_differ=count_tokens(want, found))


def count_tokens(want, found):
    """Positions at which the tokens of a sentence differ, and those that only one of the two has."""
    differ = 0
    for a, b in zip(map(str.split, want), map(str.split, found)):
        differ += sum(x != y for x, y in zip(a, b)) + abs(len(a) - len(b))
    return differ


def measure_sweep(record, args, shape):
    """Sentences with more and more mistakes: passes without a draft window and with stet's own, and their time."""
    for edits in SWEEP:
        for decoding, window in (("greedy", "auto"), ("aggressive", "auto"), ("aggressive", "0")):
            worker = start(args, shape, f"stet-int8-{decoding}", f"edits{edits}", window)
            worker.ask("one", 0, CHUNK)
            answer = worker.ask("one", 0, 1 << 20)
            record("sweep", shape=shape, edits=edits, decoding=decoding, window=window, **answer)
            worker.close()


def source_counts(args, shape):
    """What the work of the systems is counted from."""
    text, config = args.outdir / shape / "text", json.loads((args.outdir / shape / "model/config.json").read_text())
    source, expected = (lines_of(text / f"mixed.{kind}.ids") for kind in ("source", "expected"))
    return {"sentences": len(source), "source_tokens": sum(len(s.split()) + 1 for s in source),
            "output_tokens": sum(len(s.split()) + 1 for s in expected), "config": config}


def measure_shape(record, args, shape):
    record("shape", shape=shape, **source_counts(args, shape))
    write_disk(record, args, shape)
    cold_starts(record, args, shape)
    workers = {}
    for system in args.systems:
        workers[system] = start(args, shape, system)
        workers[system].ask("one", 0, 8)
        record("ready", shape=shape, system=system, **workers[system].ready)
    measure_latency(record, args, shape, workers)
    measure_throughput(record, args, shape, workers)
    for worker in workers.values():
        worker.close()
    measure_sweep(record, args, shape)
    return compare_outputs(record, args, shape)


def main():
    parser = argparse.ArgumentParser(usage=__doc__.split("\n\n")[1].removeprefix("usage: "))
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--cold", type=int, default=3)
    parser.add_argument("--shapes", nargs="+", default=["edge", "base"])
    parser.add_argument("--systems", nargs="+", default=STET + PEERS)
    parser.add_argument("--command", default="perf/peers/peers_run.py")
    parser.add_argument("outdir", type=pathlib.Path)
    args = parser.parse_args()
    record = Record(args.outdir / "peers.jsonl")
    write_machine(record, args)
    write_ceiling(record, args)
    kept = [measure_shape(record, args, shape) for shape in args.shapes]
    write_ceiling(record, args)
    record("end", load=os.getloadavg()[0], date=str(datetime.datetime.now()))
    return 0 if all(kept) else 1


if __name__ == "__main__":
    try:
        sys.exit(main())
    except bench_worker.Ended as ended:
        sys.exit(str(ended))
