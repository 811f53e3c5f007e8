#!/usr/bin/env python3
"""stet refuses every folder of make_broken_folders.py with one clear line and exit code 2.

usage: check_broken_folders.py STET [--only PART_OF_A_NAME]

For each case: "stet correct" ends within the time limit with exit code 2, prints nothing to standard output and one
line to standard error, which matches the case's pattern. "stet inspect" ends with exit code 2 and tells the same in
its report. Whole folders must be run by both. Before that the check itself is checked: it must find fault with a
whole folder, and with a broken one whose message is another.
"""

import argparse
import concurrent.futures
import os
import re
import subprocess
import sys
import tempfile

from make_broken_folders import CASES, make_all

TIME_LIMIT = 60
TEXT = "She go home.\n"
NOBODY = 65534


def run(stet, command, path, as_user=False):
    """(exit code or None, standard output, lines of standard error)"""
    user = {"user": NOBODY, "group": NOBODY, "extra_groups": []} if as_user and os.geteuid() == 0 else {}
    arguments = [stet, command, path] if command == "inspect" else [stet, command, "-m", path, "--intra_threads=1"]
    try:
        done = subprocess.run(arguments, input=TEXT.encode(), capture_output=True, timeout=TIME_LIMIT, check=False,
                              **user)
    except subprocess.TimeoutExpired:
        return None, "", []
    return done.returncode, done.stdout.decode("utf-8", "replace"), done.stderr.decode("utf-8", "replace").splitlines()


def fault_of_line(lines, path, pattern):
    if len(lines) != 1:
        return f"{len(lines)} lines on standard error instead of 1: {lines[:5]}"
    wanted = "stet: (?:" + pattern.replace("FOLDER", re.escape(path)) + ")"
    return None if re.fullmatch(wanted, lines[0]) else f"says: {lines[0]}\n    must match: {wanted}"


def faults(stet, path, pattern, as_user=False):
    """What is wrong with how stet takes a broken folder."""
    found = []
    code, out, lines = run(stet, "correct", path, as_user)
    if code != 2:
        found.append("correct: " + ("does not end" if code is None else f"exit code {code} instead of 2"))
    if out:
        found.append(f"correct: prints {out[:80]!r}")
    found.append(fault_of_line(lines, path, pattern))
    code, out, report = run(stet, "inspect", path, as_user)
    if code != 2:
        found.append("inspect: " + ("does not end" if code is None else f"exit code {code} instead of 2"))
    if report != lines:
        found.append(f"inspect: says {report[:3]}, but correct: {lines[:3]}")
    if not lines or lines[0].removeprefix("stet: ") not in out:
        found.append("inspect: the report does not have the message")
    return [f for f in found if f]


def fault_of_whole(stet, path):
    code, out, lines = run(stet, "correct", path)
    if code != 0 or lines or not out:
        return f"{path}: correct: exit code {code}, {lines}, prints {out!r}"
    code, out, lines = run(stet, "inspect", path)
    return None if code == 0 and not lines else f"{path}: inspect: exit code {code}, {lines}"


def check_the_check(stet, whole):
    """The check can fail. Returns what it did not see."""
    missed = []
    if len(faults(stet, whole[0], ".*")) < 3:
        missed.append("a whole folder passes as a broken one")
    case = next(c for c in CASES if c["name"] == "config-cut")
    if faults(stet, case["path"], case["pattern"]):
        missed.append("the broken folder it is tried on has a fault of its own")
    if not faults(stet, case["path"], case["pattern"] + " and more"):
        missed.append("another message passes")
    if fault_of_whole(stet, case["path"]) is None:
        missed.append("a broken folder passes as a whole one")
    return missed


def can_run_as_nobody(stet, out):
    """Root may read every file: cases about rights are run as somebody else, where that is possible."""
    if os.geteuid() != 0:
        return True
    try:
        return run(stet, "--version", out, as_user=True)[0] is not None
    except (OSError, subprocess.SubprocessError):
        return False


def check(stet, only, out):
    whole = make_all(out)
    wrong = check_the_check(stet, whole)
    as_nobody = can_run_as_nobody(stet, out)
    cases = [c for c in CASES if only in c["name"] and (as_nobody or not c["as_user"])]
    with concurrent.futures.ThreadPoolExecutor(max_workers=os.cpu_count()) as pool:
        wrong += [f for f in pool.map(lambda path: fault_of_whole(stet, path), whole) if f]
        for c, found in zip(cases, pool.map(lambda c: faults(stet, c["path"], c["pattern"], c["as_user"]), cases)):
            wrong += [f"{c['name']}: {f}" for f in found]
    print("\n".join(wrong))
    left_out = len([c for c in CASES if c["as_user"]]) if not as_nobody else 0
    print(f"{len(cases)} broken folders, {len(whole)} whole ones, {len(wrong)} faults; "
          f"{left_out} cases need another user")
    return 1 if wrong else 0


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("stet", metavar="STET")
    parser.add_argument("--only", default="")
    options = parser.parse_args()
    names = [c["name"] for c in CASES]
    assert len(set(names)) == len(names) >= 60, "names must differ"
    with tempfile.TemporaryDirectory() as out:
        os.chmod(out, 0o755)
        code = check(os.path.abspath(options.stet), options.only, out)
        for c in CASES:
            if c["as_user"] and os.path.isdir(c["path"]):
                os.chmod(c["path"], 0o755)
    sys.exit(code)


if __name__ == "__main__":
    main()
