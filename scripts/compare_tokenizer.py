#!/usr/bin/env python3
"""Compares stet's tokenizers with the reference libraries, text by text.

    scripts/compare_tokenizer.py --driver build/tests/spm_dump --text lines.txt --lines 200000 MODEL...

MODEL is a SentencePiece file, a tokenizer.json or a folder. Each line of the text file is encoded by both, and with
--mixed so are generated texts of many languages. Hostile and random texts (tokenizer_texts.py) and the first --full
lines are compared in more than their ids: the decoded text, and for SentencePiece files the source offsets of every
piece. Of a tokenizer.json and of a folder the text that all ids decode to is compared, of a folder that of random ids
too. Exit status 1 if anything differs. Needs the Python packages sentencepiece and, for tokenizer.json files,
tokenizers; for folders transformers (folder_oracle.py).
"""

import argparse
import os
import subprocess
import sys

import sentencepiece

import tokenizer_texts


def varint(data, pos):
    value = shift = 0
    while True:
        byte = data[pos]
        value |= (byte & 127) << shift
        pos, shift = pos + 1, shift + 7
        if byte < 128:
            return value, pos


def fields(data):
    """(field number, value) of a protocol-buffers message."""
    pos = 0
    while pos < len(data):
        tag, pos = varint(data, pos)
        if tag & 7 == 2:
            size, pos = varint(data, pos)
            yield tag >> 3, data[pos:pos + size]
            pos += size
        elif tag & 7 == 5:
            yield tag >> 3, data[pos:pos + 4]
            pos += 4
        else:
            value, pos = varint(data, pos)
            yield tag >> 3, value


def oracle_pieces(sp, text):
    """[(id, begin, end)] with offsets in bytes. The edges are moved to those of the text, as tokenizer.h says."""
    pieces = []
    for number, value in fields(sp.encode(text, out_type="serialized_proto")):
        if number == 2:
            piece = dict(fields(value))
            pieces.append((piece[2], piece.get(4, 0), piece.get(5, 0)))
    if pieces:
        pieces[0] = (pieces[0][0], 0, pieces[0][2])
        pieces[-1] = pieces[-1][:2] + (len(text),)
    return pieces


def run_driver(driver, model, texts, full):
    records = b"".join(b"%d\n%s\n" % (len(t), t) for t in texts)
    command = [driver, "--records"] + (["--full"] if full else []) + [model]
    out = subprocess.run(command, input=records, stdout=subprocess.PIPE, check=True).stdout
    lines = out.decode("ascii").split("\n")[:-1]
    if len(lines) != len(texts):
        raise SystemExit(f"{driver}: {len(lines)} answers to {len(texts)} texts")
    return lines


def compare_ids(sp, driver, model, texts, report):
    lines = run_driver(driver, model, texts, False)
    differ = 0
    for text, line, want in zip(texts, lines, sp.encode(texts)):
        if line != " ".join(map(str, want)):
            differ += 1
            report(text, line, want)
    return differ


def compare_full(sp, driver, model, texts, report):
    differ = 0
    for text, line in zip(texts, run_driver(driver, model, texts, True)):
        ids, spans, decoded, _ = line.split("\t")
        want = oracle_pieces(sp, text)
        want_ids = [p[0] for p in want]
        want_spans = " ".join(f"{b}:{e}" for _, b, e in want)
        want_text = sp.decode(want_ids, out_type=bytes) if want_ids else b""
        if (ids, spans, decoded) != (" ".join(map(str, want_ids)), want_spans, want_text.hex()):
            differ += 1
            report(text, line, (want_ids, want_spans, want_text.hex()))
    return differ


def compare_json(driver, model, texts, report):
    import json_oracle  # not everybody has the package that it needs
    oracle = json_oracle.JsonOracle(model)
    differ = 0
    for at in range(0, len(texts), 20000):
        part = texts[at:at + 20000]
        for text, line, want in zip(part, run_driver(driver, model, part, True), oracle.encode(part)):
            ids, _, decoded, _ = line.split("\t")
            want_text = oracle.decode(want).hex()
            if (ids, decoded) != (" ".join(map(str, want)), want_text):
                differ += 1
                report(text, line, (want, want_text))
    return differ


def run_decoder(driver, model, ids):
    lines = "".join(" ".join(map(str, row)) + "\n" for row in ids).encode()
    out = subprocess.run([driver, "--ids", model], input=lines, stdout=subprocess.PIPE, check=True).stdout
    return [bytes.fromhex(line).decode() for line in out.decode("ascii").split("\n")[:-1]]


def compare_folder(driver, model, texts, report):
    import folder_oracle
    oracle = folder_oracle.oracle_of(model)
    texts = [t for t in texts if oracle.accepts(t)]
    rows, differ = [], 0
    for text, line, want in zip(texts, run_driver(driver, model, texts, False), oracle.encode(texts)):
        rows.append([i for i in want if i not in oracle.skipped])
        if line != " ".join(map(str, want)):
            differ += 1
            report(text, line, want)
    rows += oracle.random_ids(20000, seed=23)
    differ_decoded = 0
    for ids, got in zip(rows, run_decoder(driver, model, rows)):
        want = oracle.decode(ids)
        if oracle.seen(got) != want:
            differ_decoded += 1
            report(str(ids), repr(got), repr(want))
    print(f"{model}: {oracle.library}: {len(texts)} texts encoded: {differ} differences; {len(rows)} decoded: "
          f"{differ_decoded} differences", flush=True)
    return differ + differ_decoded


def read_lines(path, count):
    with open(path, "rb") as f:
        return [line.rstrip(b"\n") for _, line in zip(range(count), f)]


def main():
    ap = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    ap.add_argument("--driver", default="build/tests/spm_dump")
    ap.add_argument("--text", help="a file of lines")
    ap.add_argument("--lines", type=int, default=200000)
    ap.add_argument("--full", type=int, default=10000, help="lines whose offsets and decoded text are compared too")
    ap.add_argument("--random", type=int, default=20000, help="random texts")
    ap.add_argument("--mixed", type=int, default=0, help="generated texts of many languages, beside the lines")
    ap.add_argument("models", nargs="+")
    args = ap.parse_args()
    hostile = tokenizer_texts.all_texts(args.random)
    lines = read_lines(args.text, args.lines) if args.text else []
    lines += tokenizer_texts.mixed_texts(args.mixed, seed=22)
    shown = total = 0

    def report(text, got, want):
        nonlocal shown
        if shown < 10:
            print(f"  {text[:200]!r}\n    got  {got[:400]}\n    want {str(want)[:400]}", file=sys.stderr)
        shown += 1

    for model in args.models:
        if os.path.isdir(model):
            total += compare_folder(args.driver, model, hostile + lines, report)
            continue
        if model.endswith(".json"):
            differ = compare_json(args.driver, model, hostile + lines, report)
            total += differ
            print(f"{model}: {len(lines)} lines, {len(hostile)} hostile and random texts, all decoded: "
                  f"{differ} differences", flush=True)
            continue
        sp = sentencepiece.SentencePieceProcessor(model_file=model)
        full = hostile + lines[:args.full]
        differ = compare_full(sp, args.driver, model, full, report)
        differ += compare_ids(sp, args.driver, model, lines, report)
        total += differ
        print(f"{model}: {len(lines)} lines, {len(hostile)} hostile and random texts, "
              f"{len(full)} with offsets and decoded text: {differ} differences", flush=True)
    return 1 if total else 0


if __name__ == "__main__":
    sys.exit(main())
