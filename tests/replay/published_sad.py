#!/usr/bin/env python3
"""Counts the decoder passes of the published rule of shallow aggressive decoding and compares with `stet replay`.

usage: published_sad.py --stet PROGRAM [--spm_dump PROGRAM --tokenizer FILE] SOURCE ANSWERS

The rule (Sun et al. 2021, arXiv 2106.04970), written from its description and sharing nothing with stet's code:

- The first draft is the whole source.
- Before every later pass, for n = 1, 2, 3: look for the last n tokens of the output in the source. If the output has
  fewer than n tokens or the source does not hold them, nothing is drafted. If the source holds them exactly once, the
  draft is all that follows them there. If it holds them more often, n grows; when n = 3 does not decide either,
  nothing is drafted.
- A pass emits the longest beginning of the draft that the answer agrees with, and one token of the answer more. The
  end of a sentence is one such token and is never drafted.

Every sentence is compared, with several ways to cut text into tokens: words, parts of words, letters (which repeat
most) and, where a tokenizer is named, its pieces. There the replay of the text must give the counts of its ids.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile

END = object()  # equals no token


def occurrences(source, gram):
    """Positions behind each place where the source holds the gram."""
    n = len(gram)
    return [i + n for i in range(len(source) - n + 1) if source[i:i + n] == gram]


def next_draft(source, output):
    if not output:
        return source
    for n in (1, 2, 3):
        if n > len(output):
            return []
        ends = occurrences(source, output[len(output) - n:])
        if not ends:
            return []
        if len(ends) == 1:
            return source[ends[0]:]
    return []


def count(source, answer):
    """(passes, rows) of one sentence."""
    said = answer + [END]
    output, passes, rows = [], 0, 0
    while len(output) < len(said):
        draft = next_draft(source, output)
        agreed = 0
        while agreed < len(draft) and draft[agreed] == said[len(output) + agreed]:
            agreed += 1
        output = said[:len(output) + agreed + 1]
        passes += 1
        rows += 1 + len(draft)
    return passes, rows


def self_test():
    """Cases worked out by hand; letters are tokens."""
    cases = [("abcdef", "abcdef", 1), ("", "", 1), ("abc", "", 1), ("", "abc", 4),
             # x is new: no draft; d is unique: the rest follows.
             ("abcdef", "abxdef", 3),
             # a occurs twice, "xa" never: nothing is drafted until the source's letters are unique again.
             ("abcad", "xabcad", 4)]
    for source, answer, passes in cases:
        got = count(list(source), list(answer))[0]
        if got != passes:
            sys.exit(f"published_sad.py: {source} -> {answer}: {got} passes, expected {passes}")


def words(line):
    return line.split()


def pieces(line):
    """Words cut into parts of up to three letters; a word's first part is another token than the same letters later."""
    out = []
    for word in line.split():
        out += ["_" + word[:3]] + [word[i:i + 3] for i in range(3, len(word), 3)]
    return out


def letters(line):
    return list(line[:160])


def numbered(lists):
    """The same lists with a number for every different token."""
    ids = {}
    return [[ids.setdefault(token, len(ids)) for token in tokens] for tokens in lists]


def read_lines(path):
    with open(path, encoding="utf-8", newline="") as f:
        return f.read().rstrip("\n").split("\n")


def replay(stet, source, answers, options):
    command = [stet, "replay", "--json", "--per_sentence", "--draft=sad"] + options + [source, answers]
    report = json.loads(subprocess.run(command, check=True, stdout=subprocess.PIPE).stdout)
    sentences = report["answers"][0]["policies"][0]["sentences"]
    return list(zip(sentences["passes"], sentences["rows"]))


def write_ids(folder, name, lists):
    path = os.path.join(folder, name)
    with open(path, "w", encoding="ascii") as f:
        f.writelines(" ".join(map(str, ids)) + "\n" for ids in lists)
    return path


def compare(what, want, got):
    """Prints what was compared; returns the number of sentences that differ."""
    wrong = [i for i, (a, b) in enumerate(zip(want, got)) if a != b]
    for i in wrong[:5]:
        print(f"{what}, line {i + 1}: (passes, rows) {want[i]} by the rule, {got[i]} by stet")
    if len(want) != len(got):
        print(f"{what}: {len(want)} sentences, but stet reports {len(got)}")
        return 1
    passes = sum(p for p, _ in want)
    print(f"{what}: {len(want)} sentences, {passes} passes, {len(wrong)} differ")
    return len(wrong)


def tokenizer_ids(program, model, path):
    with open(path, "rb") as f:
        out = subprocess.run([program, model], check=True, stdin=f, stdout=subprocess.PIPE).stdout
    return [[int(x) for x in line.split()] for line in out.decode("ascii").split("\n")[:-1]]


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--stet", required=True, help="the programme stet")
    parser.add_argument("--spm_dump", help="tests/tokenizer/spm_dump.c, built")
    parser.add_argument("--tokenizer", help="spiece.model in a folder of its own or of a model")
    parser.add_argument("source")
    parser.add_argument("answers")
    args = parser.parse_args()
    self_test()
    wrong = 0
    with tempfile.TemporaryDirectory() as folder:
        def check_ids(what, source, answers):
            want = [count(s, a) for s, a in zip(source, answers)]
            got = replay(args.stet, write_ids(folder, "source", source),
                         write_ids(folder, "answers", answers), ["--ids"])
            return want, compare(what, want, got)

        source, answers = read_lines(args.source), read_lines(args.answers)
        for cut in (words, pieces, letters):
            ids = numbered([cut(line) for line in source + answers])
            wrong += check_ids(cut.__name__, ids[:len(source)], ids[len(source):])[1]
        if args.tokenizer:
            want, differ = check_ids("ids of the tokenizer",
                                     *(tokenizer_ids(args.spm_dump, args.tokenizer, path)
                                       for path in (args.source, args.answers)))
            model = ["--model", os.path.dirname(args.tokenizer)]
            got = replay(args.stet, args.source, args.answers, model)
            wrong += differ + compare("text", want, got)
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
