"""What the house checks share: the files of the tree, and C text without comments."""

import os
import re
import sys

# Folders with data or generated files: not source.
SKIPPED_FOLDERS = {".git", ".venv", "__pycache__", "fixtures", "corpus", "Testing"}
C_SUFFIXES = (".c", ".h", ".cc", ".cpp", ".cu", ".cuh")

_TOKENS = re.compile(
    r"""//[^\n]*|/\*.*?\*/"""
    r"""|R"(?P<raw>[^()\s]*)\(.*?\)(?P=raw)"|"(?:\\.|[^"\\\n])*"|'(?:\\.|[^'\\\n])*'""",
    re.S)


def default_root():
    return os.path.dirname(os.path.dirname(os.path.abspath(__file__)))


def files(root):
    """Paths of all source files relative to root, sorted, with forward slashes."""
    found = []
    for folder, dirs, names in os.walk(root):
        at_top = os.path.samefile(folder, root)
        dirs[:] = [d for d in dirs
                   if d not in SKIPPED_FOLDERS and not (at_top and d.startswith("build"))]
        for name in names:
            path = os.path.relpath(os.path.join(folder, name), root)
            found.append(path.replace(os.sep, "/"))
    return sorted(found)


def read(root, path):
    with open(os.path.join(root, path), encoding="utf-8") as f:
        return f.read()


def _blank(text):
    return re.sub(r"[^\n]", " ", text)


def _blank_token(match):
    """Comments vanish; a string keeps its quotes, so that `extern "C" {` can still be told."""
    token = match.group(0)
    if token[0] == "/" or len(token) < 2:
        return _blank(token)
    return token[0] + _blank(token[1:-1]) + token[-1]


def without_comments(text):
    """Comments blanked out, strings kept; lines keep their numbers."""
    def keep(m):
        return _blank(m.group(0)) if m.group(0)[0] == "/" else m.group(0)
    return _TOKENS.sub(keep, text)


def code_only(text):
    """Comments and the insides of strings blanked out; lines and columns keep their numbers."""
    return _TOKENS.sub(_blank_token, text)


def line_of(text, offset):
    return text.count("\n", 0, offset) + 1


def report(title, problems):
    """Prints the problems; returns the exit status."""
    for problem in problems:
        print(problem)
    if problems:
        sys.stdout.flush()
        print(f"{title}: {len(problems)} problems", file=sys.stderr)
        return 1
    print(f"{title}: ok")
    return 0
