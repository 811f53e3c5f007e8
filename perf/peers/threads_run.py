#!/usr/bin/env python3
"""CTranslate2 at its best, one sentence at a time: by number of threads, and with its packed int8 weights.

usage: threads_run.py OUTDIR [ROUNDS]     (2 rounds: about three minutes; OUTDIR as peers.sh made it)

peers.sh gives every system the same threads. For small products one thread can be faster than two that wait for each
other, so here stet and CTranslate2 run with one and with two, in turn, and CTranslate2 also with the experimental
setting that packs int8 weights once (CT2_USE_EXPERIMENTAL_PACKED_GEMM=1). Writes perf/results/threads.md.
"""

import os
import pathlib
import sys
import time

import bench_worker
import peers_run
import peers_stats

PACKED = {"CT2_USE_EXPERIMENTAL_PACKED_GEMM": "1"}
# system, threads, environment, and what the row is called
VARIANTS = [("stet-int8-aggressive", 2, {}, "stet int8, aggressive"), ("stet-int8-aggressive", 1, {}, "the same"),
            ("stet-int8-greedy", 1, {}, "stet int8, greedy"),
            ("ctranslate2-int8", 2, {}, "CTranslate2 int8"), ("ctranslate2-int8", 1, {}, "the same"),
            ("ctranslate2-int8", 1, PACKED, "the same, packed weights"),
            ("ctranslate2-float32", 2, {}, "CTranslate2 float32"), ("ctranslate2-float32", 1, {}, "the same")]
COUNT = 64
HEAD = """# One sentence at a time: one thread or two

Commit {commit}, {date}, {cpu}, {processors} processors, load average {load:.1f} at the start.
Command: `perf/peers/threads_run.py OUTDIR {rounds}`, after `perf/peers/peers.sh OUTDIR`. The first {count} sentences of
each model of [peers.md](peers.md), text to text, all variants alive and in turn; milliseconds. The last column is the
variant's p50 divided by the smaller p50 of stet's aggressive decoding.
"""


def start(folder, variant):
    """A process of one variant, on as many processors as it has threads."""
    system, threads, env, _ = variant
    source = str(folder / "text" / "mixed")
    cores = ",".join(map(str, sorted(os.sched_getaffinity(0))[:threads]))
    if system.startswith("stet-"):
        command = [peers_run.ROOT / "build/perf/bench_stet", folder / "stet-int8", "int8", system.split("-")[2], source,
                   threads, "auto"]
    else:
        command = [sys.executable, peers_run.HERE / "peer_worker.py", system, folder, source, threads]
    return bench_worker.Worker(system, ["taskset", "-c", cores] + command, env=os.environ | env)


def measure(folder, rounds):
    """Milliseconds of every sentence, a list for each variant."""
    workers, times = [start(folder, variant) for variant in VARIANTS], [[] for _ in VARIANTS]
    for i in range(rounds + 1):  # the first time is not counted
        for at in peers_run.turn(list(range(len(VARIANTS))), i):
            time.sleep(peers_run.SETTLE)
            answer = workers[at].ask("one", 0, COUNT)
            times[at] += answer["text_ms"] if i > 0 else []
    for worker in workers:
        worker.close()
    return times


def table(shape, times):
    """The lines of one model."""
    middle = [peers_stats.percentile(values, 50) for values in times]
    base = min(p50 for p50, variant in zip(middle, VARIANTS) if variant[0] == "stet-int8-aggressive")
    lines = [f"## `{shape}`", "", "| system | threads | p50 | p99 | times stet |", "|---|---:|---:|---:|---:|"]
    for values, p50, (_, threads, _, name) in zip(times, middle, VARIANTS):
        high = peers_stats.percentile(values, 99)
        lines.append(f"| {name} | {threads} | {p50:.2f} | {high:.2f} | {p50 / base:.2f} |")
    return lines + [""]


def main():
    if len(sys.argv) not in (2, 3) or sys.argv[1].startswith("-"):
        sys.exit("\n".join(__doc__.splitlines()[2:3]))
    rounds, lines = int(sys.argv[2]) if len(sys.argv) > 2 else 2, []
    head = HEAD.format(commit=peers_run.commit(), date=peers_run.datetime.date.today(), cpu=peers_run.cpu_name(),
                       processors=os.cpu_count(), load=os.getloadavg()[0], rounds=rounds, count=COUNT)
    for shape in ("edge", "base"):
        lines += table(shape, measure(pathlib.Path(sys.argv[1]) / shape, rounds))
    text = head + "\n" + "\n".join(lines)
    (peers_run.ROOT / "perf/results/threads.md").write_text(text.rstrip("\n") + "\n", encoding="utf-8")
    print(text)


if __name__ == "__main__":
    main()
