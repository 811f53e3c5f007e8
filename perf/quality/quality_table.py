#!/usr/bin/env python3
"""What a model corrects and what it should have left alone, in one table.

usage: quality_table.py --data FOLDER [--stet PROGRAM] [--clean FILE] [--lines N] [-- OPTIONS OF STET]

FOLDER holds eval/jfleg-dev, eval/ewt-typos, eval/gum-typos, eval/blimp and tables/; what is not there is left out,
with a line that says so. FILE is clean text, one sentence a line (its last N lines are used, default 4000): the rate
of false edits is measured on them, and on the corrected sides of the two sets of slips; mistakes of one kind are made
in a part of them by the rules that training uses. Everything runs on the output of the program.
"""
import argparse
import os
import random
import subprocess
import sys

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
sys.path.insert(0, os.path.join(ROOT, "scripts", "train"))
# pylint: disable=wrong-import-position
import edit_scores  # noqa: E402
import evaluate_gleu  # noqa: E402
import synthesize_errors  # noqa: E402

A_KIND = 400  # sentences with one mistake of each kind
PAIRS = 100   # of each phenomenon


def read_lines(path):
    """Lines without their ends."""
    with open(path, encoding="utf-8") as handle:
        return handle.read().splitlines()


class Table:
    """Runs the program and collects rows."""

    def __init__(self, command):
        self.command, self.rows = command, []

    def correct(self, lines):
        """The program's output for these lines."""
        run = subprocess.run(self.command, input="\n".join(lines) + "\n", capture_output=True, text=True, check=False)
        if run.returncode != 0:
            raise SystemExit(f"{' '.join(self.command)}: exit code {run.returncode}: {run.stderr.strip()}")
        out = run.stdout.splitlines()
        if len(out) != len(lines):
            raise SystemExit(f"{len(lines)} lines became {len(out)}")
        return out

    def add(self, name, lines, figures):
        """A row: what, how many lines, figures."""
        self.rows.append((name, str(len(lines)), figures))

    def show(self):
        """Print all rows as Markdown."""
        print("| text | lines | figures |\n|---|---:|---|")
        for row in self.rows:
            print("| " + " | ".join(row) + " |")


def share(part, whole):
    """12.3 % (45)"""
    return f"{100 * part / whole:.1f} % ({part})"


def against_references(table, name, sources, references):
    """GLEU and edit scores."""
    output = table.correct(sources)
    changed = sum(a != b for a, b in zip(sources, output))
    split = [[line.split() for line in text] for text in (sources, output, *references)]
    counts = edit_scores.total_counts(edit_scores.rows_of(split[0], split[1], split[2:]))
    right, made, wanted = counts
    before, after = (evaluate_gleu.corpus_gleu(split[0], split[2:], text) for text in split[:2])
    table.add(name, sources, f"GLEU {before:.2f} -> {after:.2f}; precision {100 * right / max(made, 1):.1f}, recall "
              f"{100 * right / max(wanted, 1):.1f}, F0.5 {100 * edit_scores.f_score(*counts):.1f}; "
              f"changed {share(changed, len(sources))}")


def clean_text(table, name, lines):
    """The rate of false edits."""
    output = table.correct(lines)
    changed = sum(a != b for a, b in zip(lines, output))
    table.add(name, lines, f"changed {share(changed, len(lines))}")


def made_mistakes(table, tables_folder, lines):
    """One mistake of one kind in each line: made good, changed otherwise, left."""
    for kind in synthesize_errors.MIX:
        maker = synthesize_errors.ErrorMaker(tables_folder, 5)
        maker.makers, maker.cumulative, maker.mean_rate = [getattr(maker, "make_" + kind)], [1], 1e-9
        pairs = [(maker.corrupt(line), line) for line in lines]
        pairs = [(wrong, right) for wrong, right in pairs if wrong != right][:A_KIND]
        if not pairs:
            continue
        wrong, output = [pair[0] for pair in pairs], table.correct([pair[0] for pair in pairs])
        good = sum(out == right for out, (_, right) in zip(output, pairs))
        left = sum(out == line for out, line in zip(output, wrong))
        table.add(f"one mistake made: {kind}", pairs,
                  f"made good {share(good, len(pairs))}, left {share(left, len(pairs))}")


def minimal_pairs(table, path):
    """Wrong sentences that become the right one, and right ones that are changed."""
    by_kind, rng = {}, random.Random(7)
    for line in read_lines(path):
        kind, wrong, right = line.split("\t")
        by_kind.setdefault(kind, []).append((wrong, right))
    good = harmed = total = 0
    best = []
    for kind, pairs in sorted(by_kind.items()):
        pairs = rng.sample(pairs, min(PAIRS, len(pairs)))
        fixed = sum(out == right for out, (_, right) in zip(table.correct([p[0] for p in pairs]), pairs))
        best.append((fixed / len(pairs), kind))
        good, total = good + fixed, total + len(pairs)
        harmed += sum(out != right for out, (_, right) in zip(table.correct([p[1] for p in pairs]), pairs))
    best.sort()
    kinds = ", ".join(f"{kind} {100 * rate:.0f} %" for rate, kind in best[:-4:-1] + best[2::-1])
    table.add(f"BLiMP, {len(by_kind)} phenomena", [0] * total,
              f"wrong made right {share(good, total)}; right changed {share(harmed, total)}; best and worst: {kinds}")


def run_all(table, args):
    """All parts whose data is there."""
    data, missing = os.path.join(args.data, "eval"), []
    corrected = []
    for name, title in (("jfleg-dev", "JFLEG dev"), ("ewt-typos", "EWT slips"), ("gum-typos", "GUM slips")):
        folder = os.path.join(data, name)
        if not os.path.isdir(folder):
            missing.append(folder)
            continue
        references = [read_lines(os.path.join(folder, f)) for f in sorted(os.listdir(folder)) if f.startswith("ref")]
        against_references(table, title, read_lines(os.path.join(folder, "src.txt")), references)
        corrected += references[0] if name != "jfleg-dev" else []
    clean = read_lines(args.clean)[-args.lines:] if args.clean else []
    if clean:
        clean_text(table, "clean text, held out", clean)
        made_mistakes(table, args.data, clean[len(clean) // 2:])
    else:
        missing.append("clean text (--clean FILE)")
    if corrected:
        clean_text(table, "corrected sides of EWT and GUM slips", corrected)
    if os.path.isfile(os.path.join(data, "blimp", "pairs.tsv")):
        minimal_pairs(table, os.path.join(data, "blimp", "pairs.tsv"))
    else:
        missing.append(os.path.join(data, "blimp"))
    return missing


def main():
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", required=True)
    parser.add_argument("--stet", default=os.path.join(ROOT, "build", "stet"))
    parser.add_argument("--clean")
    parser.add_argument("--lines", type=int, default=4000)
    parser.add_argument("options", nargs="*", help="after --: options of `stet correct`")
    args = parser.parse_args()
    table = Table([args.stet, "correct", *args.options])
    missing = run_all(table, args)
    table.show()
    for what in missing:
        print(f"left out, not there: {what}")


if __name__ == "__main__":
    main()
