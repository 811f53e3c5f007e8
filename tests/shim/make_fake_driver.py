#!/usr/bin/env python3
"""Writes the source of a driver library without a device: enough of one for cuDNN to finish plans.

usage: make_fake_driver.py NM LIBCUDA OUT.c

LIBCUDA is the stub that the CUDA toolkit links programmes with; NM the tool that lists its functions. Every one of
them gives CUDA_ERROR_STUB_LIBRARY, but those by which a compiled kernel is loaded: they succeed and hand out a handle
that is none.
"""

import re
import subprocess
import sys

STUB_LIBRARY = 34
# Functions that succeed; true: the first argument is where a handle goes.
SUCCEED = {
    "cuLibraryLoadData": True, "cuLibraryUnload": False, "cuLibraryGetKernel": True, "cuKernelGetFunction": True,
    "cuKernelSetAttribute": False, "cuFuncSetAttribute": False, "cuModuleLoadData": True,
    "cuModuleGetFunction": True, "cuModuleUnload": False,
}


def functions(nm, library):
    run = subprocess.run([nm, "-D", "--defined-only", library], stdout=subprocess.PIPE, text=True, check=True)
    return sorted(set(re.findall(r" T (cu\w+)(?:@.*)?$", run.stdout, re.M)))


def source(names):
    lines = ["/* Made by make_fake_driver.py. */"]
    for name in names:
        body = f"return {STUB_LIBRARY};"
        if name in SUCCEED:
            body = "*out = out; return 0;" if SUCCEED[name] else "(void)out; return 0;"
        lines.append(f"int {name}(void **out);\nint {name}(void **out) {{ (void)out; {body} }}")
    return "\n".join(lines) + "\n"


def main():
    if len(sys.argv) != 4:
        sys.exit(__doc__)
    names = functions(sys.argv[1], sys.argv[2])
    missing = [name for name in SUCCEED if name not in names]
    if missing:
        sys.exit(f"make_fake_driver: {sys.argv[2]} has no function {', '.join(missing)}")
    with open(sys.argv[3], "w", encoding="utf-8") as f:
        f.write(source(names))


if __name__ == "__main__":
    main()
