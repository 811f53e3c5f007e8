#!/usr/bin/env python3
"""What single kernels reach: Nsight Compute's counters of some launches, and Nsight Systems' times of all.

usage: gpu_profile.py [--dry_run] [--seconds N] [--programs DIR] --work DIR RESULTS

Records: kernel, one for each kernel's name, with the medians of its profiled launches; kernel_time, its share of a
sentence's time; skipped and failed. The clocks are left as they are.
"""

import csv
import io
import shutil
import statistics
import subprocess
import sys

import gpu_common

METRICS = {"gpu__time_duration.sum": "ns", "dram__throughput.avg.pct_of_peak_sustained_elapsed": "dram_percent",
           "lts__throughput.avg.pct_of_peak_sustained_elapsed": "l2_percent",
           "sm__throughput.avg.pct_of_peak_sustained_elapsed": "sm_percent",
           "launch__registers_per_thread": "registers", "launch__grid_size": "blocks"}
# A decoder pass has fewer than so many launches; the first sentence warms up.
SKIP, COUNT = 200, 120
SHAPE, TEXT = "base", "edits1"


def rows_of(text):
    """The table in what a tool wrote, which begins with other lines."""
    lines = text.splitlines()
    begin = next((i for i, line in enumerate(lines) if '","' in line or line.startswith("Time (%),")), None)
    return list(csv.DictReader(io.StringIO("\n".join(lines[begin:])))) if begin is not None else []


def number(text):
    try:
        return float(text.replace(",", ""))
    except (AttributeError, ValueError):
        return None


class Section:
    def __init__(self, args):
        self.args, self.record, self.clock = args, gpu_common.Record(args), gpu_common.Clock(args.seconds)

    def bench(self, kind):
        return [self.args.programs / "perf/bench_stet", gpu_common.model_folder(self.args, SHAPE), kind, "aggressive",
                gpu_common.text_of(self.args, SHAPE, TEXT), self.args.threads, "auto", self.args.device,
                gpu_common.LENGTH]

    def run(self, tool, command, commands="ids 0 4\n"):
        try:
            done = subprocess.run(list(map(str, command)), input=commands, capture_output=True, text=True,
                                  timeout=max(1.0, self.clock.left()), errors="replace")
        except subprocess.TimeoutExpired:
            self.record("failed", what=tool, reason="it took too long")
            return None
        if done.returncode != 0:
            self.record("failed", what=tool, reason=(done.stdout + done.stderr)[-600:])
            return None
        return done.stdout

    def counters(self, kind):
        text = self.run("ncu", ["ncu", "--clock-control", "none", "--csv", "--page", "raw", "--print-units", "base",
                                "--launch-skip", SKIP, "--launch-count", COUNT, "--metrics", ",".join(METRICS),
                                *self.bench(kind)])
        found = {}
        for row in rows_of(text or ""):
            for metric, name in METRICS.items():
                value = number(row.get(metric))
                if value is not None:
                    found.setdefault(row.get("Kernel Name", "?"), {}).setdefault(name, []).append(value)
        for kernel, values in found.items():
            self.record("kernel", kernel=kernel, compute_type=kind, launches=len(values.get("ns", [])),
                        **{name: statistics.median(v) for name, v in values.items()})
        if text is not None and not found:
            self.record("failed", what="ncu", reason="no counters in what it wrote: " + text[-400:])

    def times(self, kind):
        out = self.args.work / "nsys"
        if self.run("nsys", ["nsys", "profile", "--force-overwrite=true", "-o", out, *self.bench(kind)],
                    "ids 0 32\n") is None:
            return
        text = self.run("nsys", ["nsys", "stats", "--report", "cuda_gpu_kern_sum", "--format", "csv",
                                 f"{out}.nsys-rep"])
        for row in rows_of(text or ""):
            self.record("kernel_time", kernel=row.get("Name"), compute_type=kind, percent=number(row.get("Time (%)")),
                        launches=number(row.get("Instances")), median_ns=number(row.get("Med (ns)")))


def main():
    args = gpu_common.arguments("profile", __doc__.split("\n\n")[1].removeprefix("usage: "))
    section = Section(args)
    reason = "a dry run has no device" if args.dry_run else gpu_common.wait_for_model(args, SHAPE, section.clock)
    for tool, measure in (("ncu", section.counters), ("nsys", section.times)):
        why = reason or (None if shutil.which(tool) else f"{tool} is not on this machine")
        if why is None and section.clock.left() <= 0:
            why = "time"
        if why is not None:
            section.record("skipped", what=tool, reason=why)
        else:
            for kind in ("bfloat16", "int8"):
                measure(kind)
    return 0


if __name__ == "__main__":
    sys.exit(main())
