#!/usr/bin/env python3
"""Draws latency.svg and passes.svg from what peers_run.py measured.

usage: peers_plots.py PEERS_JSONL FOLDER
"""

import pathlib
import statistics
import sys

import matplotlib

matplotlib.use("svg")
from matplotlib import pyplot  # noqa: E402

from peers_stats import NAMES, all_samples, latencies, percentile, pick, read_records, systems_of  # noqa: E402

COLOURS = {"stet": "#0b6e4f", "ctranslate2": "#c1440e", "onnxruntime": "#2b59c3", "transformers": "#777777"}
PLAIN = {"svg.fonttype": "none", "svg.hashsalt": "stet", "font.family": "sans-serif", "font.size": 9,
         "axes.spines.top": False, "axes.spines.right": False}


def save(figure, path, bottom=0.0):
    figure.tight_layout(rect=(0, bottom, 1, 1))
    figure.savefig(path, metadata={"Date": None})
    # matplotlib ends some lines with a space.
    lines = path.read_text(encoding="utf-8").splitlines()
    path.write_text("\n".join(line.rstrip() for line in lines) + "\n", encoding="utf-8")


def style_of(system):
    dashes = "--" if system.endswith("greedy") else "-"
    return {"color": COLOURS[system.split("-")[0]], "linestyle": dashes, "alpha": 1 if "int8" in system else 0.45}


def draw_latency(records, path):
    shapes = [r["shape"] for r in records["shape"]]
    figure, panels = pyplot.subplots(1, len(shapes), figsize=(4.6 * len(shapes), 4.6), squeeze=False)
    for axes, shape in zip(panels[0], shapes):
        for system in systems_of(records, shape):
            samples = all_samples(latencies(records, shape, system, "text_ms"))
            points = range(1, 100)
            axes.plot(points, [percentile(samples, p) for p in points], label=NAMES[system], **style_of(system))
        axes.set_yscale("log")
        axes.set_title(f"{shape}: one sentence at a time, text to text")
        axes.set_xlabel("percentile")
        axes.set_ylabel("milliseconds")
        axes.grid(alpha=0.25)
    figure.legend(*panels[0][0].get_legend_handles_labels(), fontsize=7, loc="lower center", ncol=3, frameon=False)
    save(figure, path, bottom=0.15)


def draw_passes(records, path):
    lines = (("greedy", "auto", "greedy", "#777777"), ("aggressive", "auto", "aggressive, own draft window", "#0b6e4f"),
             ("aggressive", "0", "aggressive, no draft window", "#c1440e"))
    figure, panels = pyplot.subplots(1, 2, figsize=(9.2, 3.8))
    shape = records["shape"][-1]["shape"]
    for decoding, window, label, colour in lines:
        found = pick(records["sweep"], shape=shape, decoding=decoding, window=window)
        edits = sorted({r["edits"] for r in found})
        rates = [100 * e * r["sentences"] / r["rows"] for e in edits
                 for r in pick(records["sweep"], shape=shape, decoding="greedy", edits=e)[:1]]
        passes, ms = ([statistics.median(value(r) / r["sentences"] for r in pick(found, edits=e)) for e in edits]
                      for value in (lambda r: r["passes"], lambda r: sum(r["ids_ms"])))
        panels[0].plot(rates, passes, marker="o", markersize=3, color=colour, label=label)
        panels[1].plot(rates, ms, marker="o", markersize=3, color=colour, label=label)
    for axes, what in zip(panels, ("decoder passes a sentence", "milliseconds a sentence")):
        axes.set_ylim(bottom=0)
        axes.set_xlabel("tokens that are mistakes, %")
        axes.set_ylabel(what)
        axes.grid(alpha=0.25)
    panels[0].set_title(f"{shape}, stet int8, sentences of about 28 tokens")
    panels[0].legend(fontsize=7)
    save(figure, path)


def main():
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    records, folder = read_records(sys.argv[1]), pathlib.Path(sys.argv[2])
    pyplot.rcParams.update(PLAIN)
    draw_latency(records, folder / "latency.svg")
    draw_passes(records, folder / "passes.svg")


if __name__ == "__main__":
    main()
