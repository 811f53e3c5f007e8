#!/usr/bin/env python3
"""Makes perf/results/replay.md from the reports of replay.sh.

usage: replay_table.py MAIN HELD_OUT [ARGUMENT]    (ARGUMENT: how replay.sh was called, for the command line shown)

MAIN and HELD_OUT: each stands for two files, MAIN.names with a name a line and MAIN.reports with as many reports. The
names of HELD_OUT are a seed and a number of mistakes.
"""

import datetime
import json
import subprocess
import sys

POLICIES = ("sad", "edit", "tree")
HEAD = """# Draft policies on given answers

Commit {commit}, {date}, command: `{command}`

`stet replay` with the tokenizer of `models/stet-edge-en`, no draft window, batches of 32. No model runs: the answers
stand in for it, so the figures are exact and the same on every machine. Made mistakes:
`tests/replay/data/make_edits.py`, seed 1 in the first tables. The rules and constants of `edit` and `tree` were chosen
by looking at made mistakes with the seeds 1 to 5, at JFLEG dev and at the EWT slips: no row of the first table is held
out. The second table has the seeds 11 to 20, looked at once, when nothing was changed any more. Held out there are the
mistakes; the sentences, and the four kinds of mistakes, are those of the seeds 1 to 5.
"""
BATCHING = ("lock_step_passes", "continuous_passes")


def read_reports(path):
    """The reports stand one after the other."""
    with open(path, encoding="utf-8") as f:
        text = f.read()
    decoder, at, reports = json.JSONDecoder(), 0, []
    while at < len(text):
        report, at = decoder.raw_decode(text, at)
        reports.append(report["answers"][0])
        while at < len(text) and text[at].isspace():
            at += 1
    return reports


def commit():
    """The commit that was built, marked when sources differ from it; results are not sources."""
    found = subprocess.run(["git", "rev-parse", "--short", "HEAD"], capture_output=True, text=True)
    if found.returncode != 0:
        return "unknown"
    sources = ["host", "tokenizer", "models", "tests/replay/data", "perf/replay"]
    changed = subprocess.run(["git", "status", "--porcelain", "--"] + sources, capture_output=True, text=True).stdout
    return found.stdout.strip() + (" with changes" if changed else "")


def print_table(heads, rows):
    print("\n| " + " | ".join(heads) + " |")
    print("|---|" + "---:|" * (len(heads) - 1))
    for row in rows:
        print("| " + " | ".join(row) + " |")


def added(answers):
    """Several texts as one: how many sentences, and the passes of every policy."""
    passes = {p: sum(q["passes"] for a in answers for q in a["policies"] if q["policy"] == p)
              for p in ("none",) + POLICIES}
    return sum(a["sentences"] for a in answers), passes


def savings(passes):
    return [f"{100 * (1 - passes[p] / passes['sad']):.1f} %" for p in ("edit", "tree")]


def total_row(name, answers):
    sentences, passes = added(answers)
    return ([name, str(sentences), f"{passes['none'] / sentences:.2f}"]
            + [f"{passes[p] / sentences:.2f}" for p in POLICIES] + savings(passes))


def read_named(path):
    """Pairs of name and report."""
    with open(path + ".names", encoding="utf-8") as f:
        return list(zip(f.read().splitlines(), read_reports(path + ".reports")))


def held_out_row(name, pairs):
    """Savings with one, two, three mistakes a sentence, then of all together."""
    cells = [name]
    for edits in ("1", "2", "3", None):
        cells += savings(added([a for key, a in pairs if edits in (None, key.split()[1])])[1])
    return cells


def print_held_out(pairs):
    heads = [f"{p}, {what}" for what in ("1 mistake", "2", "3", "1 to 3 together") for p in ("edit", "tree")]
    seeds = sorted({key.split()[0] for key, _ in pairs}, key=int)
    rows = [held_out_row(seed, [p for p in pairs if p[0].split()[0] == seed]) for seed in seeds]
    print("\nHeld-out made mistakes: passes fewer than `sad` takes, with one, two and three mistakes a sentence:")
    print_table(["seed"] + heads, rows + [held_out_row("together", pairs)])
    every = [[p for key, p in pairs if key.split()[1] == edits] for edits in ("1", "2", "3")]
    print("\nThe same seeds together, decoder passes per sentence:")
    print_table(["mistakes", "sentences", "none"] + list(POLICIES) + ["edit saves", "tree saves"],
                [total_row(str(i + 1), answers) for i, answers in enumerate(every)]
                + [total_row("1 to 3", [a for answers in every for a in answers])])


def main():
    if len(sys.argv) < 3:
        sys.exit(__doc__)
    passes, rows, batches = [], [], []
    named = read_named(sys.argv[1])
    for name, answer in named:
        by = {p["policy"]: p for p in answer["policies"]}
        chosen = [by[p] for p in POLICIES]
        passes.append([name, str(answer["sentences"]), f"{by['none']['passes_per_sentence']:.2f}"]
                      + [f"{p['passes_per_sentence']:.2f}" for p in chosen]
                      + [f"{by[p]['saving_percent']:.1f} %" for p in ("edit", "tree")])
        rows.append([name] + [f"{p['rows_per_sentence']:.1f}" for p in chosen])
        batches.append([name] + [f"{p[key]:.0f}" for key in BATCHING for p in chosen])
    made = [a for name, a in named if "made mistakes" in name and not name.endswith(" 0")]
    passes.append(total_row("made mistakes, 1 to 3, together", made))
    passes.append(total_row("all texts together", [a for _, a in named]))
    command = " ".join(["perf/replay/replay.sh"] + [a for a in sys.argv[3:] if a])
    print(HEAD.format(commit=commit(), date=datetime.date.today(), command=command))
    print("Decoder passes per sentence, and how many fewer than `sad` takes:")
    print_table(["text", "sentences", "none"] + list(POLICIES) + ["edit saves", "tree saves"], passes)
    print_held_out(read_named(sys.argv[2]))
    print("\nDecoder rows (tokens scored) per sentence:")
    print_table(["text"] + list(POLICIES), rows)
    print("\nPasses of the whole text in batches of 32: in lock step each batch waits for its slowest sentence, in")
    print("continuous batching a sentence that has ended leaves its slot to the next one:")
    kinds = [f"{kind}, {policy}" for kind in ("lock step", "continuous") for policy in POLICIES]
    print_table(["text"] + kinds, batches)


if __name__ == "__main__":
    main()
