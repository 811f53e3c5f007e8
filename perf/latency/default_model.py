#!/usr/bin/env python3
"""Measures the default model on one sentence at a time against what it should reach on two cores.

usage: perf/latency/default_model.py [ROUNDS]     (5 rounds: about 20 seconds)

models/stet-edge-en, int8, two threads, batch size 1. Sentences: those of tests/replay/data/ewt.source.txt and of its
corrections with one and two made mistakes (make_edits.py, seed 1) that have 23 to 27 tokens and in which the model
makes one or two edits. Prints and writes to perf/results/default_model.md: time of a sentence from text to text, peak
resident memory of `stet correct`, and the time of a whole `stet correct` of one sentence, files in the page cache.
Needs build/stet and build/perf/bench_stet and builds them where that is possible. Standard library only.
"""

import datetime
import json
import os
import pathlib
import statistics
import subprocess
import sys
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
DATA, MODEL = ROOT / "tests/replay/data", ROOT / "models/stet-edge-en"
STARTS = 31
HEAD = """# The default model, one sentence at a time

Commit {commit}, {date}, {cpu}, {processors} processors, load average {load:.1f} at the start, {end:.1f} at the end.
Command: `perf/latency/default_model.py {rounds}`. `models/stet-edge-en`, int8, two threads, batch size 1;
{sentences} sentences of 23 to 27 tokens in which the model makes one or two edits, {rounds} times, greedy and
aggressive in turn.

| what | aggressive | greedy | should be at most |
|---|---:|---:|---:|"""


def output_of(*command, **more):
    return subprocess.run(command, check=True, capture_output=True, cwd=ROOT, **more)


def build():
    if not (ROOT / "build/build.ninja").exists():
        output_of("cmake", "--preset", "cpu-release")
    output_of("cmake", "--build", "--preset", "cpu-release", "--target", "stet_cli", "bench_stet")


def candidates():
    answers = (DATA / "ewt.answers.txt").read_bytes()
    out = (DATA / "ewt.source.txt").read_bytes()
    for edits in ("1", "2"):
        out += output_of(sys.executable, str(DATA / "make_edits.py"), "--edits", edits, input=answers).stdout
    return out


def chosen_sentences():
    lines = output_of("build/stet", "correct", "--model", str(MODEL), "--edits", "json", input=candidates()).stdout
    out = []
    for found in map(json.loads, lines.decode("utf-8").splitlines()):
        if len(found["sentences"]) == 1 and 23 <= found["sentences"][0]["source_tokens"] <= 27 \
                and 1 <= len(found["edits"]) <= 2:
            out.append(found["source"])
    return out


def time_sentences(text, rounds):
    """{decoding: milliseconds of all sentences in all rounds}, {decoding: passes a sentence}."""
    count, times, passes = 1 << 20, {"aggressive": [], "greedy": []}, {}
    for _ in range(rounds):
        for decoding, samples in times.items():
            asked = f"one 0 64\none 0 {count}\n".encode()
            answer = output_of("build/perf/bench_stet", str(MODEL), "auto", decoding, text, "2", input=asked).stdout
            found = json.loads(answer.splitlines()[2])
            samples += found["text_ms"]
            passes[decoding] = found["passes"] / found["sentences"]
    return times, passes


def one_process(decoding, path):
    """Statistics of `stet correct`, and milliseconds from start to end."""
    start = time.perf_counter()
    found = output_of("build/stet", "correct", "--model", str(MODEL), "--batch_size", "1", "--intra_threads", "2",
                      "--decoding", decoding, "--stats=json", str(path))
    ms = 1e3 * (time.perf_counter() - start)
    return json.loads(found.stderr.splitlines()[-1]), ms


def percentile(values, p):
    values = sorted(values)
    return values[min(len(values) - 1, round((len(values) - 1) * p / 100))]


def measure(folder, sentences, rounds):
    """Rows of the table: name, value of both ways of decoding, unit, limit."""
    both = ("aggressive", "greedy")
    text, first = folder / "text", folder / "first.txt"
    (folder / "text.source.txt").write_text("\n".join(sentences) + "\n", encoding="utf-8")
    first.write_text(sentences[0] + "\n", encoding="utf-8")
    times, passes = time_sentences(str(text), rounds)
    memory = {d: one_process(d, folder / "text.source.txt")[0]["peak_resident_bytes"] / 1e6 for d in both}
    starts = {d: [] for d in both}
    for _ in range(STARTS):
        for d in both:
            starts[d].append(one_process(d, first)[1])
    rows = [(f"{name} of a sentence", [percentile(times[d], p) for d in both], "ms", limit)
            for name, p, limit in (("p50", 50, "40 ms"), ("p95", 95, ""), ("p99", 99, ""))]
    rows.append(("decoder passes a sentence", [passes[d] for d in both], "", ""))
    rows.append(("peak resident memory", [memory[d] for d in both], "MB", "50 MB"))
    rows.append((f"start to end of a process with one sentence, median of {STARTS}",
                 [statistics.median(starts[d]) for d in both], "ms", "100 ms"))
    return rows


def commit():
    """The commit that was built, marked when sources differ from it; results are not sources."""
    found = subprocess.run(["git", "rev-parse", "--short", "HEAD"], capture_output=True, text=True, cwd=ROOT)
    if found.returncode != 0:
        return "unknown"
    changed = output_of("git", "status", "--porcelain", "--", "host", "tokenizer", "models", "perf/latency").stdout
    return found.stdout.strip() + (" with changes" if changed else "")


def cpu_name():
    lines = pathlib.Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    return next((x.split(":", 1)[1].strip() for x in lines if x.startswith("model name")), "unknown processor")


def main():
    if len(sys.argv) > 2 or "-h" in sys.argv or "--help" in sys.argv:
        sys.exit(__doc__)
    rounds, load = int(sys.argv[1]) if len(sys.argv) == 2 else 5, os.getloadavg()[0]
    build()
    with tempfile.TemporaryDirectory() as folder:
        sentences = chosen_sentences()
        rows = measure(pathlib.Path(folder), sentences, rounds)
    text = HEAD.format(commit=commit(), date=datetime.date.today(), cpu=cpu_name(), processors=os.cpu_count(),
                       load=load, end=os.getloadavg()[0], rounds=rounds, sentences=len(sentences))
    for name, values, unit, limit in rows:
        text += f"\n| {name} | " + " | ".join(f"{v:.2f} {unit}".strip() for v in values) + f" | {limit} |"
    (ROOT / "perf/results/default_model.md").write_text(text + "\n", encoding="utf-8")
    print(text)


if __name__ == "__main__":
    main()
