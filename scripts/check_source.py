#!/usr/bin/env python3
"""Fails on what is too long (files, functions, parameter lists, lines) or marked as unfinished.

usage: check_source.py [--self-test] [--report] [--root FOLDER]

--report also lists what is over the targets but within the limits: files over 400 lines,
functions over 60.
"""

import argparse
import ast
import os
import re
import sys
import tempfile

import source_tree

FILE_LIMIT, FILE_TARGET = 800, 400
FUNCTION_LIMIT, FUNCTION_TARGET = 100, 60
PARAMETER_LIMIT = 8
C_WIDTH_LIMIT, SCRIPT_WIDTH_LIMIT = 100, 120

CODE_SUFFIXES = source_tree.C_SUFFIXES + (".py", ".sh", ".js", ".rs", ".go")
TEXT_SUFFIXES = CODE_SUFFIXES + (".cmake", ".txt", ".md", ".in", ".json")
# Written so that this file does not contain them.
MARKS = re.compile(r"\b(" + "|".join(["TO" + "DO", "FIX" + "ME", "X" * 3, "HA" + "CK"]) + r")\b")
# Braces that hold functions instead of being one.
TRANSPARENT = re.compile(
    r'(^|\s)(extern\s*"[^"]*"|namespace(\s+\w+)?|(class|struct|union)\b[^=()]*)\s*$')
FUNCTION_HEAD = re.compile(r"([A-Za-z_~][\w:~]*)\s*\(")


def is_text(path):
    return path.endswith(TEXT_SUFFIXES) or path.startswith(".ci/")


def _without_preprocessor(code):
    def blank(m):
        return re.sub(r"[^\n]", " ", m.group(0))
    return re.sub(r"^[ \t]*#(?:[^\n]*\\\n)*[^\n]*", blank, code, flags=re.M)


def _closing(code, start, opening, closing):
    """Offset of the bracket that closes the one at start, or the end."""
    depth = 0
    for i in range(start, len(code)):
        if code[i] == opening:
            depth += 1
        elif code[i] == closing:
            depth -= 1
            if depth == 0:
                return i
    return len(code) - 1


def _count_parameters(inside):
    if inside.strip() in ("", "void"):
        return 0
    flat, depth = 1, 0
    for c in inside:
        depth += c in "([{<"
        depth -= c in ")]}>"
        flat += c == "," and depth == 0
    return flat


def c_functions(text):
    """(name, line, lines, parameters) of every function with a body."""
    code = _without_preprocessor(source_tree.code_only(text))
    found, i, begin = [], 0, 0
    while i < len(code):
        c = code[i]
        if c in ";}":
            begin = i + 1
        elif c == "{":
            head = code[begin:i]
            name = FUNCTION_HEAD.search(head)
            if TRANSPARENT.search(head):
                begin = i + 1
            else:
                end = _closing(code, i, "{", "}")
                if name and "=" not in head[:name.start()]:
                    open_at = begin + name.end() - 1
                    inside = code[open_at + 1:_closing(code, open_at, "(", ")")]
                    first = source_tree.line_of(code, begin + name.start())
                    lines = source_tree.line_of(code, end) - first + 1
                    found.append((name.group(1), first, lines, _count_parameters(inside)))
                i, begin = end, end + 1
        i += 1
    return found


def python_functions(text):
    found = []
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
            a = node.args
            n = len(a.posonlyargs) + len(a.args) + len(a.kwonlyargs)
            found.append((node.name, node.lineno, node.end_lineno - node.lineno + 1, n))
    return found


def check_functions(path, text, notes):
    if path.endswith(".py"):
        functions = python_functions(text)
    elif path.endswith(source_tree.C_SUFFIXES):
        functions = c_functions(text)
    else:
        return []
    problems = []
    for name, line, lines, parameters in functions:
        at = f"{path}:{line}: {name}"
        if lines > FUNCTION_LIMIT:
            problems.append(f"{at} has {lines} lines, the limit is {FUNCTION_LIMIT}")
        elif lines > FUNCTION_TARGET:
            notes.append(f"{at} has {lines} lines (target {FUNCTION_TARGET})")
        if parameters > PARAMETER_LIMIT:
            problems.append(f"{at} has {parameters} parameters, the limit is {PARAMETER_LIMIT}")
    return problems


def check_lines(path, text):
    problems = []
    width = C_WIDTH_LIMIT if path.endswith(source_tree.C_SUFFIXES) else SCRIPT_WIDTH_LIMIT
    for number, line in enumerate(text.split("\n"), 1):
        at = f"{path}:{number}"
        if "\t" in line and not path.endswith(".go"):  # gofmt wants them
            problems.append(f"{at}: tab; indent with spaces")
        if line.rstrip() != line:
            problems.append(f"{at}: white space at the end of the line")
        if path.endswith(CODE_SUFFIXES) and len(line) > width:
            problems.append(f"{at}: {len(line)} columns, the limit is {width}")
        if MARKS.search(line):
            problems.append(f"{at}: mark of unfinished work; finish it or open an issue")
    return problems


def check_file(path, text, notes):
    problems = check_lines(path, text) + check_functions(path, text, notes)
    lines = text.count("\n")
    if text and not text.endswith("\n"):
        problems.append(f"{path}: the last line has no line end")
    if path.endswith(CODE_SUFFIXES):
        if lines > FILE_LIMIT:
            problems.append(f"{path}: {lines} lines, the limit is {FILE_LIMIT}")
        elif lines > FILE_TARGET:
            notes.append(f"{path}: note: {lines} lines (target {FILE_TARGET})")
    return problems


def check_tree(root, notes):
    problems = []
    for path in source_tree.files(root):
        if is_text(path):
            problems += check_file(path, source_tree.read(root, path), notes)
    return problems


def _function(name, lines, parameters="void"):
    return f"static int {name}({parameters})\n{{\n" + "    x();\n" * (lines - 3) + "}\n"


# (path, contents, words of the only expected message; None: must be clean)
SELF_TEST = [
    ("a/long_ok.c", _function("f", 100) + _function("g", 50), None),
    ("a/table.c", "static const int t[] = {f(1), 2};\n" + "int x;\n" * 300, None),
    ("a/braces.c",
     'static const char *s = "{";\nstatic int c = \'{\'; /* { */\n' + _function("f", 90), None),
    ("a/scopes_test.cc",
     'extern "C" {\n#include "x.h"\n}\nnamespace {\n' + _function("f", 90) + "}\n"
     "TEST(A, B)\n{\n}\n" + _function("g", 60), None),
    ("a/eight.c",
     _function("f", 5, "int a, int b, int c, int d, int e, int (*f)(int, int), int g, int h"),
     None),
    ("a/fine.py", "def f(a):\n    return a\n", None),
    ("a/wide.md", "x" * 300 + "\n", None),
    ("a/long_function.c", _function("f", 101), "f has 101 lines"),
    ("a/inner_test.cc", "namespace {\n" + _function("f", 120) + "}\n", "f has 120 lines"),
    ("a/after_macro.c",
     "#define F(a) \\\n    do { \\\n        g(a)\n" + _function("f", 101), "f has 101 lines"),
    ("a/long_file.c", "int x;\n" * 801, "801 lines"),
    ("a/nine.c", _function("f", 5, "int a, int b, int c, int d, int e, int f, int g, int h, int i"),
     "f has 9 parameters"),
    ("a/long_function.py", "def f():\n" + "    g()\n" * 100, "f has 101 lines"),
    ("a/wide.c", "/* " + "x" * 97 + "*/\n", "columns"),
    ("a/wide.py", "#" * 121 + "\n", "columns"),
    ("a/not_so_wide.py", "#" * 120 + "\n", None),
    ("a/wide.rs", "//" + "x" * 119 + "\n", "columns"),
    ("a/wide.js", "//" + "x" * 119 + "\n", "columns"),
    ("a/tab.go", "\tx()\n", None),
    ("a/tab.c", "int\tx;\n", "tab"),
    ("a/space.sh", "true \n", "white space"),
    ("a/cut.cmake", "project(x)", "no line end"),
    ("a/mark.md", "A " + "TO" + "DO: later\n", "unfinished"),
    (".ci/run", "true # " + "FIX" + "ME\n", "unfinished"),
]


def self_test():
    """Each rule must find the mistake made for it, and nothing else."""
    failures = []
    with tempfile.TemporaryDirectory() as root:
        for path, text, _ in SELF_TEST:
            os.makedirs(os.path.join(root, os.path.dirname(path)), exist_ok=True)
            with open(os.path.join(root, path), "w", encoding="utf-8") as f:
                f.write(text)
        problems = check_tree(root, [])
    for path, _, expected in SELF_TEST:
        mine = [p for p in problems if p.startswith(path + ":")]
        good = (not mine) if expected is None else (len(mine) == 1 and expected in mine[0])
        if not good:
            failures.append(f"self-test: {path}: expected {expected!r}, found {mine}")
    return source_tree.report("check_source self-test", failures)


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--self-test", action="store_true", help="show that every rule can fail")
    parser.add_argument("--report", action="store_true", help="list what is over the targets too")
    parser.add_argument("--root", default=source_tree.default_root(), help="the tree to check")
    args = parser.parse_args()
    if args.self_test:
        return self_test()
    notes = []
    problems = check_tree(args.root, notes)
    if args.report:
        print("\n".join(notes))
    return source_tree.report("check_source", problems)


if __name__ == "__main__":
    sys.exit(main())
