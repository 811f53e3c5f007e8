#!/usr/bin/env python3
"""Prints what perf/gpu/run.sh measured as markdown; README.md in this folder says what the columns are.

usage: gpu_table.py RESULTS

Exits 1 when there is nothing to print. Of a dry run every measured figure stands in brackets.
"""

import collections
import json
import pathlib
import statistics
import sys

import gpu_common  # noqa: F401  (makes perf/peers importable)
import gpu_floors
from peers_stats import percentile, pick, print_table

NAMES = {"base": "base 6+6", "bart": "BART-large 12+12", "edgeformer": "EdgeFormer 12+2", "big": "big 12+2",
         "t5": "T5-base 12+12", "own": "stet-edge-en", "tiny": "tiny 2+2"}
TITLE = "# A run on a GPU"
DRY_TITLE = "# DRY RUN: no figure here is of a GPU"
DRY_NOTE = """

Made with `--dry-run`: tiny shapes, on the processor, to show that everything runs. Figures in brackets
say nothing about any device."""


class Results:
    def __init__(self, path):
        self.by = collections.defaultdict(list)
        for line in pathlib.Path(path).read_text(encoding="utf-8").splitlines():
            record = json.loads(line)
            self.by[record["record"]].append(collections.defaultdict(lambda: None, record))
        every = [r for records in self.by.values() for r in records]
        # One line of a dry run makes all of it one.
        self.dry = any(r["dry_run"] for r in every)

    def find(self, kind, **wanted):
        return pick(self.by[kind], **wanted)

    def one(self, kind, **wanted):
        found = self.find(kind, **wanted)
        return found[-1] if found else None

    def figure(self, value, form="{:.1f}"):
        if value is None:
            return "-"
        return f"({form.format(value)})" if self.dry else form.format(value)

    def ceiling(self, name):
        found = self.one("ceiling", name=name)
        return found["value"] if found else None

    def shape(self, shape):
        return self.one("shape", shape=shape)

    def tokens(self, shape, text, side):
        found = self.shape(shape)
        return found["tokens"].get(text, {}).get(side) if found else None


def name_of(shape):
    return NAMES.get(shape, shape)


def p50(record):
    return percentile(record["ms"], 50) if record else None


def ratio(above, below):
    return above / below if above is not None and below else None


def each(record, field):
    """Of a sentence."""
    return ratio(record[field], record["sentences"]) if record and record[field] is not None else None


def print_machine(r):
    m = r.one("machine")
    if m is None:
        print("\nWhat it ran on was not recorded.")
        return
    card = m["card"] or {}
    rows = [("card", card.get("name", "none")), ("driver", card.get("driver_version", "-")),
            ("clocks, multiprocessors and memory, MHz",
             f"{card.get('clocks.sm', '-')} of {card.get('clocks.max.sm', '-')}, "
             f"{card.get('clocks.mem', '-')} of {card.get('clocks.max.mem', '-')} at the start"),
            ("processor", f"{m['processor']}, {m['processors']} processors, load {m['load']:.2f} at the start"),
            ("CUDA compiler", m["nvcc"] or "-"), ("PyTorch, transformers", f"{m['torch']}, {m['transformers']}"),
            ("commit", m["commit"]), ("date", m["date"])]
    print_table(("", ""), [[str(c) for c in row] for row in rows])


def print_checks(r):
    checks = r.by["check"]
    bad, unfinished = ([c["name"] for c in checks if c["status"] in states] for states in
                       (("fail", "missing"), ("timeout",)))
    # One that was ended from outside may have had failures to tell.
    bad += ["the section itself"] if any(s["exit_code"] for s in r.find("section", section="checks")) else []
    wrong = [o for o in r.by["outputs"] if not o["equal_to_greedy"]]
    differ = sum(led["differing_tokens"] + led["differing_scores"] for led in r.by["ledger"])
    print("\n## Correctness\n")
    if not checks or bad or wrong or differ:
        print(f"**Not shown: no time below counts before it is.** Checks that did not pass: "
              f"{', '.join(bad) if checks else 'all, none ran'}; comparisons in which aggressive and greedy decoding "
              f"differ: {len(wrong)}.")
    else:
        but = f" but these, which were not finished: {', '.join(unfinished)}" if unfinished else ""
        print(f"All checks passed{but}; aggressive decoding gave what greedy decoding gave in all "
              f"{len(r.by['outputs'])} comparisons.")
    print_table(("check", "status", "passed", "failed", "skipped", "why"),
                [[c["name"], c["status"], *(str(c[k]) if c[k] is not None else "-" for k in
                                            ("passed", "failed", "skipped")), (c["reason"] or "")] for c in checks])
    for led in r.by["ledger"]:
        print(f"\nLedger: {led['tokens']} tokens decoded greedily alone and drafted in batches, "
              f"{led['differing_tokens']} tokens and {led['differing_scores']} scores differ.")


def print_ceilings(r):
    rows = [[c["name"], r.figure(c["value"], "{:.4g}"), c["unit"] or "", c["counts"] or c["error"] or ""]
            for c in r.by["ceiling"]]
    print("\n## The card's limits")
    print_table(("", "value", "unit", "counts"), rows) if rows else print("\nNot measured.")


def latency_row(r, a):
    """a: the record of aggressive decoding."""
    key = {k: a[k] for k in ("shape", "compute_type", "text")}
    greedy, mine, passes = p50(r.one("latency", section="stet", decoding="greedy", **key)), p50(a), each(a, "passes")
    tokens, shape = r.tokens(a["shape"], a["text"], "expected"), r.shape(a["shape"])
    floors = (None, None)
    if shape and tokens:
        copy = r.ceiling("copy") or gpu_floors.COPY_GB
        floors = gpu_floors.floors_us(shape["config"], a["compute_type"], passes, copy)
    floor = max(floors) if floors[0] is not None else None
    return [name_of(a["shape"]), a["compute_type"], a["text"], str(len(a["ms"])),
            *(r.figure(percentile(a["ms"], p), "{:.3f}") for p in (50, 90, 99)), r.figure(greedy, "{:.3f}"),
            r.figure(ratio(greedy, mine), "{:.2f}"), r.figure(passes, "{:.2f}"), r.figure(each(a, "rows"), "{:.1f}"),
            r.figure(ratio(tokens and 1e3 * tokens, mine), "{:.0f}"),
            *(r.figure(f and f / 1e3, "{:.3f}") for f in floors), r.figure(ratio(1e3 * mine, floor), "{:.1f}")]


def print_latency(r):
    print("\n## One sentence at a time\n\nMilliseconds from ids to ids, aggressive unless it says greedy.")
    print_table(("model", "type", "text", "n", "p50", "p90", "p99", "greedy p50", "times greedy", "passes", "rows",
                 "tokens/s", "byte floor", "stage floor", "times floor"),
                [latency_row(r, a) for a in r.find("latency", section="stet", decoding="aggressive")])


def target_row(r, shape):
    found = r.one("latency", section="stet", decoding="aggressive", shape=shape, compute_type="bfloat16", text="edits1")
    eager = r.one("latency", section="peers", shape=shape, system="transformers eager")
    mine = p50(found)
    own = []
    for text, wanted in gpu_floors.TARGET_OWN.items():
        pair = [p50(r.one("latency", section="stet", decoding=d, shape=shape, compute_type="bfloat16", text=text))
                for d in ("greedy", "aggressive")]
        is_deep = shape in ("bart", "t5")
        own.append(r.figure(ratio(*pair), "{:.1f}") + (f" (target {wanted:g})" if is_deep else ""))
    return [name_of(shape), r.figure(mine and 1e3 * mine, "{:.0f}"),
            " / ".join(map(str, gpu_floors.TARGETS_US[shape])), r.figure(ratio(p50(eager), mine), "{:.1f}"),
            " / ".join(map(str, gpu_floors.TARGET_PEER)), *own]


def print_targets(r):
    print("\n## Against the targets\n\nbfloat16, one sentence at a time; three targets are those of the versions that "
          "are planned: correct, fast, record.")
    print_table(("model", "µs with 1 mistake", "targets", "times transformers eager", "targets",
                 "times own greedy, 1 mistake", "no mistake"), [target_row(r, s) for s in gpu_floors.TARGETS_US])


def throughput_row(r, t):
    shape, seconds = r.shape(t["shape"]), statistics.median(t["ms"]) / 1e3
    tokens, source = (r.tokens(t["shape"], t["text"], side) for side in ("expected", "source"))
    peak = r.ceiling("int8_8192" if t["compute_type"] == "int8" else "bf16_8192")
    percent = target = None
    if shape and tokens:
        work = gpu_floors.flops(shape["config"], source, each(t, "rows")) * t["sentences"]
        percent = ratio(100 * work / seconds / 1e12, peak if t["compute_type"] != "float32" else None)
        if t["batch"] == 256 and t["compute_type"] == "bfloat16":
            target = gpu_floors.TARGET_PEAK.get(shape["config"]["d_model"])
    return [name_of(t["shape"]), t["compute_type"], str(t["batch"]), t["decoding"], str(t["sentences"]),
            r.figure(t["sentences"] / seconds, "{:.0f}"),
            r.figure(tokens and tokens * t["sentences"] / seconds, "{:.0f}"),
            r.figure(each(t, "rows"), "{:.1f}"), r.figure(percent, "{:.2f}"),
            " / ".join(map(str, target)) if target else "-"]


def print_throughput(r):
    print("\n## Many sentences together\n\nSentences with 0 to 3 mistakes, handed over as ids.")
    print_table(("model", "type", "batch", "decoding", "sentences", "sentences/s", "tokens/s", "rows", "% of peak",
                 "targets"), [throughput_row(r, t) for t in r.find("throughput", section="stet")])


def best_stet(r, kind, **wanted):
    """bfloat16 where there is one."""
    found = r.find(kind, section="stet", decoding="aggressive", **wanted)
    return next((f for f in found if f["compute_type"] == "bfloat16"), found[0] if found else None)


def peer_row(r, p):
    same = {k: p[k] for k in ("shape", "text", "batch")}
    mine, per = best_stet(r, p["record"], **same), p["sentences"] if p["record"] == "throughput" else 1
    theirs, ours = statistics.median(p["ms"]) / per, None
    if mine:
        ours = statistics.median(mine["ms"]) / (mine["sentences"] if p["record"] == "throughput" else 1)
    tokens = r.tokens(p["shape"], p["text"], "expected")
    made = r.one("agreement", shape=p["shape"], system=p["system"], text=p["text"])
    return [name_of(p["shape"]), p["system"], p["compute_type"], p["decoding"], str(p["batch"]), str(len(p["ms"])),
            r.figure(theirs, "{:.3f}"), r.figure(ratio(tokens and 1e3 * tokens, theirs), "{:.0f}"),
            r.figure(ratio(theirs, ours), "{:.1f}"), f"{made['as_made']} of {made['sentences']}" if made else "-",
            r.figure(p["first_seconds"], "{:.1f}")]


def print_peers(r):
    print("\n## Other software, the same weights and sentences\n\nTime of a sentence over that of stet's aggressive "
          "decoding on the device (bfloat16 where it was measured) with the same batch.")
    rows = r.find("latency", section="peers") + r.find("throughput", section="peers")
    print_table(("model", "system", "type", "decoding", "batch", "n", "ms a sentence", "tokens/s", "times stet",
                 "outputs as made", "first call, s"), [peer_row(r, p) for p in rows])


def print_kernels(r):
    rows = [[k["kernel"], k["compute_type"], r.figure(k["ns"] and k["ns"] / 1e3, "{:.2f}"),
             *(r.figure(k[c], "{:.0f}") for c in ("blocks", "registers", "dram_percent", "l2_percent", "sm_percent"))]
            for k in r.by["kernel"]]
    if rows:
        print("\n## Kernels\n\nMedians over the launches that were looked at, base 6+6.")
        print_table(("kernel", "type", "µs", "blocks", "registers", "memory %", "L2 %", "multiprocessors %"), rows)
    rows = [[k["kernel"], k["compute_type"], *(r.figure(k[c], "{:.0f}") for c in ("percent", "launches", "median_ns"))]
            for k in r.by["kernel_time"]]
    if rows:
        print("\nAll launches of 32 sentences, their share of the device's time.")
        print_table(("kernel", "type", "%", "launches", "median ns"), rows)


def print_missing(r):
    print("\n## What is missing\n")
    rows = r.by["skipped"] + r.by["failed"] + r.by["section"]
    rows = [m for m in rows if m["record"] != "section" or m["exit_code"] != 0]
    for m in rows:
        what = " ".join(str(m[k]) for k in ("section", "what", "system", "shape", "compute_type", "batch", "decoding")
                        if m[k] is not None)
        ended = f"it ended with code {m['exit_code']}" + (", out of time" if m["exit_code"] == 124 else "")
        reason = m["reason"] or ended
        print(f"- {what} ({m['record']}): {' '.join(reason.split())}")
    if not rows:
        print("Nothing.")


def main():
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    r = Results(sys.argv[1])
    if not r.by:
        sys.exit(f"gpu_table.py: {sys.argv[1]} is empty")
    print(DRY_TITLE + DRY_NOTE if r.dry else TITLE)
    for part in (print_machine, print_checks, print_targets, print_latency, print_throughput, print_peers,
                 print_ceilings, print_kernels, print_missing):
        part(r)


if __name__ == "__main__":
    main()
