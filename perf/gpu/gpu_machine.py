#!/usr/bin/env python3
"""What the figures were measured on: card, driver, clocks, processor, versions, commit.

usage: gpu_machine.py [--dry_run] [--programs DIR] --work DIR RESULTS

Adds one record, `machine`. The commit is that of the programmes: where they were brought along, what DIR/commit says.
"""

import datetime
import importlib.metadata
import os
import re
import subprocess

import gpu_common
import peers_run

CARD = ("name", "driver_version", "memory.total", "clocks.sm", "clocks.mem", "clocks.max.sm", "clocks.max.mem",
        "temperature.gpu", "power.limit")


def first_line(*command, pattern=".*"):
    try:
        text = subprocess.run(command, capture_output=True, text=True, timeout=20).stdout
    except (OSError, subprocess.TimeoutExpired):
        return None
    return next((m.group(0).strip() for m in map(re.compile(pattern).search, text.splitlines()) if m), None)


def card():
    line = first_line("nvidia-smi", f"--query-gpu={','.join(CARD)}", "--format=csv,noheader,nounits")
    return dict(zip(CARD, map(str.strip, line.split(",")))) if line else None


def version_of(package):
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return None


def commit_of(programs):
    path = programs / "commit"
    return path.read_text(encoding="utf-8").strip() if path.exists() else peers_run.commit()


def main():
    args = gpu_common.arguments("machine", __doc__.split("\n\n")[1].removeprefix("usage: "))
    gpu_common.Record(args)(
        "machine", card=card(), processor=peers_run.cpu_name(), processors=os.cpu_count(), threads=args.threads,
        load=os.getloadavg()[0], nvcc=first_line("nvcc", "--version", pattern="release [0-9.]+"),
        compiler=first_line("cc", "--version"), torch=version_of("torch"), transformers=version_of("transformers"),
        commit=commit_of(args.programs), date=str(datetime.date.today()))


if __name__ == "__main__":
    main()
