#!/usr/bin/env python3
"""Precision, recall and F0.5 of edits, against an M2 file or against corrected texts.

usage: edit_scores.py --source FILE --output FILE (--m2 FILE | --references FILE...)

An edit is a span of source tokens (between white space) and what stands there instead. Edits of the output
are found by comparing token by token; edits of the references either the same way or as the M2 file lists them.
An output edit is right if the same span has the same replacement in the reference. Of several annotators the
one is taken for each sentence that gives the best F0.5 so far, as the scorer of the CoNLL tasks and ERRANT do.
(ERRANT finds the edits of an output with linguistic rules, the M2 scorer chooses among all possible edits, so
their figures are a little higher on the same text.)
"""
import argparse
import difflib

NO_EDIT = ("noop", "UNK", "Um")


def edits_between(source, target):
    """Set of (first, end, replacement) that turn one list of tokens into the other, as small as they can be."""
    found = set()
    matcher = difflib.SequenceMatcher(None, source, target, autojunk=False)
    for tag, first, end, at, until in matcher.get_opcodes():
        if tag == "equal":
            continue
        if tag == "replace" and end - first == until - at:
            found.update((first + i, first + i + 1, target[at + i]) for i in range(end - first)
                         if source[first + i] != target[at + i])
        else:
            found.add((first, end, " ".join(target[at:until])))
    return found


def f_score(right, made, wanted, beta=0.5):
    """F of counts. Nothing made is precision 1, nothing wanted recall 1."""
    precision = right / made if made else 1.0
    recall = right / wanted if wanted else 1.0
    weighted = beta * beta * precision + recall
    return (1 + beta * beta) * precision * recall / weighted if weighted else 0.0


def read_m2(lines):
    """[(source tokens, {annotator: set of edits})] of an M2 file."""
    sentences = []
    for number, line in enumerate(lines, 1):
        line = line.rstrip("\n")
        if line.startswith("S "):
            sentences.append((line[2:].split(), {}))
        elif line.startswith("A "):
            if not sentences:
                raise SystemExit(f"line {number}: an annotation before the first sentence")
            fields = line[2:].split("|||")
            if len(fields) < 6:
                raise SystemExit(f"line {number}: an annotation has six fields with ||| between them")
            first, end = map(int, fields[0].split())
            edits = sentences[-1][1].setdefault(fields[5], set())
            if fields[1] not in NO_EDIT and first >= 0:
                edits.add((first, end, fields[2] if fields[2] != "-NONE-" else ""))
    return [(tokens, annotations or {"0": set()}) for tokens, annotations in sentences]


def total_counts(rows):
    """(right, made, wanted) over rows of (edits made, {annotator: edits wanted})."""
    total = (0, 0, 0)
    for made, choices in rows:
        options = [(len(made & wanted), len(made), len(wanted)) for wanted in choices.values()]
        total = max((tuple(map(sum, zip(total, option))) for option in options), key=lambda t: f_score(*t))
    return total


def rows_of(sources, outputs, references):
    """Rows for total_counts from lists of tokens."""
    for source, output, *choices in zip(sources, outputs, *references):
        yield (edits_between(source, output),
               {number: edits_between(source, choice) for number, choice in enumerate(choices)})


def read_tokens(path):
    """Token lists of a file's lines."""
    with open(path, encoding="utf-8") as handle:
        return [line.split() for line in handle]


def main():
    """Print the three figures of one output."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--source", help="not needed with --m2, which holds it")
    parser.add_argument("--output", required=True)
    gold = parser.add_mutually_exclusive_group(required=True)
    gold.add_argument("--m2")
    gold.add_argument("--references", nargs="+")
    args = parser.parse_args()
    outputs = read_tokens(args.output)
    if args.m2:
        with open(args.m2, encoding="utf-8") as handle:
            sentences = read_m2(handle)
        rows = [(edits_between(source, output), choices) for (source, choices), output in zip(sentences, outputs)]
        expected = len(sentences)
    elif not args.source:
        raise SystemExit("--references needs --source")
    else:
        sources = read_tokens(args.source)
        rows = list(rows_of(sources, outputs, [read_tokens(path) for path in args.references]))
        expected = len(sources)
    if len(outputs) != expected or len(rows) != expected:
        raise SystemExit(f"{args.output}: {len(outputs)} lines, the source has {expected}")
    right, made, wanted = total_counts(rows)
    print(f"edits made {made}, wanted {wanted}, right {right}: precision {100 * right / made if made else 100:.1f}, "
          f"recall {100 * right / wanted if wanted else 100:.1f}, F0.5 {100 * f_score(right, made, wanted):.1f}")


if __name__ == "__main__":
    main()
