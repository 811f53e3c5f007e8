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
each model of [peers.md](peers.md), text to text, all variants alive and in turn; milliseconds. "Times stet" is the
variant's p50 divided by the smaller p50 of stet's aggressive decoding; "sleeps": how often a thread of the process
went to sleep in a sentence. CTranslate2's int8 products have a barrier each, at which its threads sleep
(OMP_WAIT_POLICY is PASSIVE there): in a small model the second thread costs more than it brings.
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


def waits(worker):
    """How often the threads of a process went to sleep so far."""
    tasks = pathlib.Path(f"/proc/{worker.process.pid}/task").glob("*/status")
    lines = [line for task in tasks for line in task.read_text(encoding="ascii").splitlines()]
    return sum(int(line.split()[1]) for line in lines if line.startswith("voluntary_ctxt_switches"))


def measure(folder, rounds):
    """For each variant: milliseconds of every sentence, and how often a thread went to sleep in one on average."""
    workers = [start(folder, variant) for variant in VARIANTS]
    times, sleeps = [[] for _ in VARIANTS], [0] * len(VARIANTS)
    for i in range(rounds + 1):  # the first time is not counted
        for at in peers_run.turn(list(range(len(VARIANTS))), i):
            time.sleep(peers_run.SETTLE)
            before = waits(workers[at])
            answer = workers[at].ask("one", 0, COUNT)
            times[at] += answer["text_ms"] if i > 0 else []
            sleeps[at] += waits(workers[at]) - before if i > 0 else 0
    for worker in workers:
        worker.close()
    return times, [n / (rounds * COUNT) for n in sleeps]


def table(shape, times, sleeps):
    """The lines of one model."""
    middle = [peers_stats.percentile(values, 50) for values in times]
    base = min(p50 for p50, variant in zip(middle, VARIANTS) if variant[0] == "stet-int8-aggressive")
    lines = [f"## `{shape}`", "", "| system | threads | p50 | p99 | times stet | sleeps |",
             "|---|---:|---:|---:|---:|---:|"]
    for values, p50, n, (_, threads, _, name) in zip(times, middle, sleeps, VARIANTS):
        high = peers_stats.percentile(values, 99)
        lines.append(f"| {name} | {threads} | {p50:.2f} | {high:.2f} | {p50 / base:.2f} | {n:,.1f} |")
    return lines + [""]


def main():
    if len(sys.argv) not in (2, 3) or sys.argv[1].startswith("-"):
        sys.exit("\n".join(__doc__.splitlines()[2:3]))
    rounds, lines = int(sys.argv[2]) if len(sys.argv) > 2 else 2, []
    head = HEAD.format(commit=peers_run.commit(), date=peers_run.datetime.date.today(), cpu=peers_run.cpu_name(),
                       processors=os.cpu_count(), load=os.getloadavg()[0], rounds=rounds, count=COUNT)
    for shape in ("edge", "base"):
        lines += table(shape, *measure(pathlib.Path(sys.argv[1]) / shape, rounds))
    text = head + "\n" + "\n".join(lines)
    (peers_run.ROOT / "perf/results/threads.md").write_text(text.rstrip("\n") + "\n", encoding="utf-8")
    print(text)


if __name__ == "__main__":
    main()
