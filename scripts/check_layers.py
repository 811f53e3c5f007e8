#!/usr/bin/env python3
"""Fails when a file includes a header or makes a call that its layer must not.

usage: check_layers.py [--self-test] [--root FOLDER]

LAYERS below is the table that CONTRIBUTING.md explains: folder -> folders whose headers it may
include (its own is always allowed). A header is found by its file name, which is why a name must
occur once in the whole tree.
"""

import argparse
import os
import re
import sys
import tempfile

import source_tree

BASE = ["host/include", "host/base"]
TENSOR = BASE + ["host/tensor"]
BACKEND = TENSOR + ["host/backend"]
MODEL_PARTS = BACKEND + ["host/kv", "host/weights"]

LAYERS = {
    "host/include": [],
    "host/base": ["host/include"],
    "host/tensor": BASE,
    "host/backend": TENSOR,
    "host/cpu": BACKEND,
    "cuda": BACKEND,
    "host/weights": TENSOR,
    "tokenizer": BASE,
    "host/kv": BACKEND,
    "models": MODEL_PARTS,
    "host/draft": BASE,
    "host/engine": BACKEND + ["host/kv", "models", "host/draft"],
    "host/text": BASE + ["tokenizer"],
    "host/api": MODEL_PARTS + ["models", "host/draft", "host/engine", "host/cpu",
                               "tokenizer", "host/text"],
    "host/cli": BASE,
    "host/http": BASE,
}
# Checked loosely: these see every layer, and "tests" also sees its own support folder.
LOOSE = ["tests", "perf"]
# Layers that end in a program and so may print and exit.
PROGRAMS = ["host/cli", "host/http"]

# Header -> the only files that may include it (besides its own folder, tests/ and perf/).
ONLY_IN = {
    "cpu_backend.h": ["host/api/backends.c"],
    "dlfcn.h": ["host/backend/plugin_load.c", "cuda/blas_cublaslt.c", "cuda/nccl_real.c", "cuda/sdpa_cudnn.c"],
    "nccl.h": ["cuda/nccl_real.c"],
    "jansson.h": ["host/base/json.c"],
}
CUDA_HEADER = re.compile(r"^(cuda|cublas|cudnn|cufft|curand|cusparse|nvrtc|nvtx|nccl"
                         r"|(.*/)?cuda\.h|cuComplex|nvml|nvJitLink|nvToolsExt|crt/|thrust/|cutlass/|cute/"
                         r"|cooperative_groups|mma\.h|cub/)")
# The only host files that see headers of CUDA and its libraries, a group for each table of real calls; kernels get
# what they need from nvcc. A header stands for the files that include it.
CUDA_HOST_FILES = ["cuda/runtime_cudart.c", "cuda/blas_cublaslt.c", "cuda/nccl_real.c", "cuda/sdpa_cudnn.h"]
PRIVATE_HEADERS = {"sdpa_cudnn.h": ["cuda/sdpa_cudnn.c", "cuda/sdpa_cudnn_plan.c"]}
# Measures the card alone, and has nothing of stet in it.
CUDA_ALONE = "perf/gpu/ceilings"
# The files of a model folder have the names that other software gave them.
MODEL_FOLDER = re.compile(r"^models/stet-[^/]+/")
# Names that may occur in several folders.
REPEATED_NAMES = re.compile(
    r"^(README\.md|ATTRIBUTION\.md|CMakeLists\.txt|__init__\.py|requirements\.txt|.*\.out)$")

INCLUDE = re.compile(r'^[ \t]*#[ \t]*include[ \t]*([<"])([^>"]+)[>"]', re.M)
# A call, not a member and not part of a longer name.
CALL = r"(?<![\w.>])(%s)\s*\("
BANNED = re.compile(CALL % "strcpy|strcat|sprintf|vsprintf|gets|strtok|atoi|atol|atof|alloca")
HEAP = re.compile(CALL % ("malloc|calloc|realloc|free|strdup|strndup|posix_memalign"
                         "|aligned_alloc|asprintf"))
PRINTS = re.compile(CALL % "exit|_exit|_Exit|abort|printf|vprintf|puts|putchar|perror"
                    + r"|\b(stdout|stderr)\b")


def layer_of(path):
    """The row of LAYERS or the loose folder that a file belongs to; None for other files."""
    for folder in list(LAYERS) + LOOSE:
        if path.startswith(folder + "/"):
            return folder
    return None


def check_names(paths):
    first, problems = {}, []
    for path in paths:
        name = os.path.basename(path)
        if REPEATED_NAMES.match(name) or path.startswith(".") or MODEL_FOLDER.match(path):
            continue
        if name in first:
            problems.append(f"{path}: the file name is already taken by {first[name]}")
        first.setdefault(name, path)
    return problems


def include_problem(path, layer, header, where, quoted):
    """What is wrong with one #include, or None. where: the header's path in the tree, or None."""
    if CUDA_HEADER.match(header) and where is None:
        if path.startswith(CUDA_ALONE):
            return None
        if layer != "cuda":
            return f"includes the CUDA header {header}; only cuda/ may"
        if path not in CUDA_HOST_FILES:
            return f"includes the CUDA header {header}; only {', '.join(CUDA_HOST_FILES)} may"
    name = os.path.basename(header)
    if path not in PRIVATE_HEADERS.get(name, [path]):
        return f"includes {header}; only {', '.join(PRIVATE_HEADERS[name])} may"
    if layer in LOOSE:
        if where and layer_of(where) in LOOSE and layer_of(where) != layer:
            return f"includes {where}; {layer}/ may not see {layer_of(where)}/"
        return None
    if where and layer_of(where) == layer:
        return None
    if name in ONLY_IN and path not in ONLY_IN[name]:
        return f"includes {header}; only {', '.join(ONLY_IN[name])} may"
    if where is None:
        return f'includes "{header}", which is not in the tree' if quoted else None
    if layer_of(where) not in LAYERS[layer]:
        allowed = ", ".join(LAYERS[layer]) or "standard headers only"
        return f"includes {where}; {layer} may include: {allowed}"
    return None


def check_includes(path, layer, text, headers):
    problems = []
    for match in INCLUDE.finditer(source_tree.without_comments(text)):
        header = match.group(2)
        where = headers.get(os.path.basename(header))
        problem = include_problem(path, layer, header, where, match.group(1) == '"')
        if problem:
            problems.append(f"{path}:{source_tree.line_of(text, match.start())}: {problem}")
    return problems


def check_calls(path, layer, text):
    rules = [(BANNED, "is banned: it does not know how long its target is, or hides errors")]
    if layer not in LOOSE:
        if path != "host/base/alloc.c":
            rules.append((HEAP, "goes around host/base/alloc.h"))
        if layer not in PROGRAMS:
            rules.append((PRINTS, "prints or ends the process; the library must do neither"))
    code, problems = source_tree.code_only(text), []
    for pattern, why in rules:
        for match in pattern.finditer(code):
            word = next(g for g in match.groups() if g)
            problems.append(f"{path}:{source_tree.line_of(code, match.start())}: {word} {why}")
    return problems


def check_tree(root):
    paths = source_tree.files(root)
    sources = [p for p in paths if p.endswith(source_tree.C_SUFFIXES)]
    headers = {os.path.basename(p): p for p in sources if p.endswith((".h", ".cuh"))}
    problems = check_names(paths)
    for path in sources:
        layer = layer_of(path)
        if layer is None:
            problems.append(f"{path}: the folder is not in the table of scripts/check_layers.py")
            continue
        text = source_tree.read(root, path)
        problems += check_includes(path, layer, text, headers)
        problems += check_calls(path, layer, text)
    return problems


# (path, contents, words of the expected message; None: must be clean)
SELF_TEST = [
    ("host/base/alloc.c", "#include <stdlib.h>\nvoid f(void *p) { free(p); }\n", None),
    ("host/base/buf.h", '#include "stet.h"\n', None),
    ("host/include/stet.h", "#include <stdint.h>\n", None),
    ("host/cpu/cpu_backend.h", "#include \"stet.h\"\n", None),
    ("host/cli/say.c", '#include <stdio.h>\nint main(void) { printf("x"); return 0; }\n', None),
    ("host/text/quiet.c",
     '/* printf("a") */ const char *s = "abort()"; int t = o->free(1);\n', None),
    ("host/api/backends.c", '#include "cpu_backend.h"\n', None),
    ("tests/one/CMakeLists.txt", "", None),
    ("tests/two/CMakeLists.txt", "", None),
    ("tests/one/any_test.cc", '#include "cpu_backend.h"\n', None),
    ("host/base/up.c", '#include "cpu_backend.h"\n', "only host/api/backends.c may"),
    ("tokenizer/side.c", '// a comment\n#include "tensor_x.h"\n', "tokenizer may include"),
    ("host/tensor/tensor_x.h", "\n", None),
    ("host/cli/deep.c", '#include "tensor_x.h"\n', "host/cli may include"),
    ("models/gpu.c", "#include <cuda_runtime.h>\n", "only cuda/ may"),
    ("tests/one/gpu_test.cc", "#include <cublasLt.h>\n", "only cuda/ may"),
    ("host/backend/plugin_load.c", "#include <dlfcn.h>\n", None),
    ("host/api/backends_too.c", "#include <dlfcn.h>\n", "only host/backend/plugin_load.c, "),
    ("cuda/cuda_loads.c", "#include <dlfcn.h>\n", "only host/backend/plugin_load.c, "),
    ("cuda/blas_cublaslt.c", "#include <cublasLt.h>\n#include <dlfcn.h>\n", None),
    ("cuda/nccl_real.c", "#include <dlfcn.h>\n#include <nccl.h>\n", None),
    ("cuda/cuda_peer.c", "#include <nccl.h>\n", "only cuda/runtime_cudart.c, "),
    ("cuda/cuda_multiplies.c", "#include <cublasLt.h>\n", "only cuda/runtime_cudart.c, "),
    ("host/api/driver.c", "#include <nvml.h>\n", "only cuda/ may"),
    ("host/backend/vendor.h", "#include <x86_64-linux/cuda.h>\n", "only cuda/ may"),
    ("cuda/runtime_cudart.c", "#include <cuda_runtime_api.h>\n", None),
    ("perf/gpu/ceilings_x.cu", "#include <cublasLt.h>\n", None),
    ("perf/gpu/other.cu", "#include <cublasLt.h>\n", "only cuda/ may"),
    ("cuda/cuda_thing.h", "\n", None),
    ("tests/one/own_test.cc", '#include "cuda_thing.h"\n', None),
    ("cuda/cuda_op.c", "#include <cuda_runtime_api.h>\n", "only cuda/runtime_cudart.c, "),
    ("cuda/kernel.cu", "#include <cuda_bf16.h>\n", "only cuda/runtime_cudart.c, "),
    ("cuda/sdpa_cudnn.h", "#include <cudnn_backend.h>\n", None),
    ("cuda/sdpa_cudnn_plan.c", '#include "sdpa_cudnn.h"\n', None),
    ("cuda/cuda_attend.c", '#include "sdpa_cudnn.h"\n', "only cuda/sdpa_cudnn.c, cuda/sdpa_cudnn_plan.c may"),
    ("tests/one/sdpa_test.cc", '#include "sdpa_cudnn.h"\n', "only cuda/sdpa_cudnn.c, cuda/sdpa_cudnn_plan.c may"),
    ("cuda/sdpa_cudnn.c", "#include <dlfcn.h>\n", None),
    ("host/engine/dev.c", '#include "cuda_thing.h"\n', "host/engine may include"),
    ("host/kv/lost.c", '#include "nowhere.h"\n', "not in the tree"),
    ("host/weights/js.c", "#include <jansson.h>\n", "only host/base/json.c may"),
    ("perf/bench_x.c", '#include "support_x.h"\n', "may not see tests/"),
    ("tests/support/support_x.h", "\n", None),
    ("host/draft/buf.h", "\n", "already taken"),
    ("host/draft/heap.c", "void *f(void) { return malloc(1); }\n", "goes around"),
    ("host/cli/dup.c", "char *f(void) { return strdup(s); }\n", "goes around"),
    ("host/engine/loud.c", 'void f(void) { fprintf(stderr, "x"); }\n', "prints or ends"),
    ("host/engine/quits.c", "void f(void) { exit(1); }\n", "prints or ends"),
    ("host/engine/aborts.c", "void f(void) { abort (); }\n", "prints or ends"),
    ("host/cli/copy.c", "void f(void) { strcpy(a, b); }\n", "is banned"),
    ("tests/one/number_test.cc", "int f() { return atoi(s); }\n", "is banned"),
    ("host/strange/new.c", "\n", "not in the table"),
]


def self_test():
    """Each rule must find the mistake made for it, and nothing else."""
    failures = []
    with tempfile.TemporaryDirectory() as root:
        for path, text, _ in SELF_TEST:
            os.makedirs(os.path.join(root, os.path.dirname(path)), exist_ok=True)
            with open(os.path.join(root, path), "w", encoding="utf-8") as f:
                f.write(text)
        problems = check_tree(root)
    for path, _, expected in SELF_TEST:
        mine = [p for p in problems if p.startswith(path + ":")]
        # Of two files with one name either may be the one that is named.
        if expected == "already taken":
            mine = [p for p in problems if expected in p]
        good = (not mine) if expected is None else (len(mine) == 1 and expected in mine[0])
        if expected is None and any("already taken" in p for p in mine):
            good = True
        if not good:
            failures.append(f"self-test: {path}: expected {expected!r}, found {mine}")
    return source_tree.report("check_layers self-test", failures)


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--self-test", action="store_true", help="show that every rule can fail")
    parser.add_argument("--root", default=source_tree.default_root(), help="the tree to check")
    args = parser.parse_args()
    if args.self_test:
        return self_test()
    return source_tree.report("check_layers", check_tree(args.root))


if __name__ == "__main__":
    sys.exit(main())
