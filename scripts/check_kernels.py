#!/usr/bin/env python3
"""Fails when a CUDA kernel spills, uses local memory, takes more registers than its budget, or has an
instruction whose result is approximate or depends on the order of threads.

usage: check_kernels.py [--self-test] [--nvcc NVCC] [--root FOLDER]

Compiles every cuda/*.cu for each architecture and reads what ptxas says, and the PTX. A budget keeps two blocks
of a kernel on one multiprocessor (65536 registers); raising one is a decision, with a reason in the
commit.
"""

import argparse
import glob
import os
import re
import subprocess
import sys
import tempfile

import source_tree

ARCHITECTURES = ["80", "90"]
FLAGS = ["-O3", "-std=c++17", "--fmad=false", "-Werror=all-warnings", "-Xptxas=-v"]
REGISTERS = 65536

# Kernel without steti_cuda_ -> (threads of a block, registers of a thread, bytes of static shared memory)
BUDGETS = {
    "embed": (128, 40, 0),
    "norm": (128, 64, 0),
    "quantize": (128, 40, 0),
    "narrow": (128, 40, 0),
    "linear_f32_serial": (128, 104, 0),
    "linear_f32_chunked": (256, 80, 0),
    "linear_i8_serial": (128, 72, 0),
    "linear_i8_chunked": (256, 72, 0),
    "linear_bf16_serial": (128, 104, 0),
    "linear_bf16_chunked": (256, 80, 0),
    "epilogue": (128, 56, 0),
    "differ": (128, 40, 0),
    "attention": (128, 88, 0),
    "sdpa_pack": (128, 40, 0),
    "sdpa_unpack": (128, 40, 0),
    "argmax_f32": (256, 64, 0),
    "argmax_i8": (256, 72, 0),
    "argmax_bf16": (256, 96, 0),
    "argmax_merge": (64, 40, 0),
    "verdict": (128, 80, 0),
    "rows": (128, 64, 0),
}

# Instructions that the numerics forbid: approximations, denormals as zero, atomics.
FORBIDDEN = re.compile(r"^\s*((?:@\S+\s+)?\w+\S*\.(?:approx|ftz)\b\S*|(?:atom|red)\.\S+)", re.M)

ENTRY = re.compile(r"Compiling entry function 'steti_cuda_(\w+)' for 'sm_(\d+)'")
STACK = re.compile(r"(\d+) bytes stack frame, (\d+) bytes spill stores, (\d+) bytes spill loads")
USED = re.compile(r"Used (\d+) registers(?:.*?(\d+) bytes smem)?")


def parse(text):
    """{(kernel, architecture): (stack, spills, registers, static shared memory)} of ptxas -v."""
    found, current, stack, spills = {}, None, 0, 0
    for line in text.split("\n"):
        entry, frame, used = ENTRY.search(line), STACK.search(line), USED.search(line)
        if entry:
            current = entry.groups()
        elif frame:
            stack, spills = int(frame.group(1)), int(frame.group(2)) + int(frame.group(3))
        elif used and current:
            found[current] = (stack, spills, int(used.group(1)), int(used.group(2) or 0))
            current = None
    return found


def declared(text):
    """Kernels of STETI_CUDA_KERNEL_MAP in cuda_kernels.h."""
    return re.findall(r"^\s*XX\((\w+),", text, re.M)


def check(found, kernels, architectures):
    problems = []
    for name in kernels:
        if name not in BUDGETS:
            problems.append(f"{name}: has no budget in scripts/check_kernels.py")
            continue
        threads, most_registers, most_shared = BUDGETS[name]
        if 2 * threads * most_registers > REGISTERS:
            problems.append(f"{name}: its budget does not leave room for two blocks")
        for arch in architectures:
            if (name, arch) not in found:
                problems.append(f"{name}: ptxas said nothing about it for sm_{arch}")
                continue
            stack, spills, registers, shared = found[name, arch]
            at = f"{name}, sm_{arch}"
            if spills:
                problems.append(f"{at}: {spills} bytes of spills, none are allowed")
            if stack:
                problems.append(f"{at}: {stack} bytes of local memory, none is allowed")
            if registers > most_registers:
                problems.append(f"{at}: {registers} registers, the budget is {most_registers}")
            if shared > most_shared:
                problems.append(f"{at}: {shared} bytes of static shared memory, the budget is {most_shared}")
    problems += [f"{name}: has a budget but is no kernel" for name in BUDGETS if name not in kernels]
    return problems


def check_ptx(name, text):
    code = re.sub(r"//[^\n]*", "", text)
    return [f"{name}: instruction {m.group(1)}: its result is not a matter of the operands alone"
            for m in FORBIDDEN.finditer(code)]


def compile_file(nvcc, path, options, out):
    run = subprocess.run([nvcc, *FLAGS, *options, "-o", out, path],
                         stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)
    if run.returncode != 0:
        sys.exit(f"check_kernels: {path}: nvcc failed:\n{run.stdout}")
    return run.stdout


def compile_all(nvcc, root):
    """What ptxas says, and the problems of the PTX."""
    said, problems = "", []
    with tempfile.TemporaryDirectory() as folder:
        out = os.path.join(folder, "out")
        for path in sorted(glob.glob(os.path.join(root, "cuda", "*.cu"))):
            for arch in ARCHITECTURES:
                said += compile_file(nvcc, path, [f"-arch=sm_{arch}", "-cubin"], out)
            compile_file(nvcc, path, [f"-arch=compute_{ARCHITECTURES[0]}", "-ptx"], out)
            with open(out, encoding="utf-8") as f:
                problems += check_ptx(os.path.basename(path), f.read())
    return said, problems


def report_of(kernel, arch, stack=0, spills=0, registers=20, shared=""):
    return (f"ptxas info    : Compiling entry function 'steti_cuda_{kernel}' for 'sm_{arch}'\n"
            f"ptxas info    : Function properties for steti_cuda_{kernel}\n"
            f"    {stack} bytes stack frame, {spills} bytes spill stores, 0 bytes spill loads\n"
            f"ptxas info    : Used {registers} registers, used 1 barriers{shared}, 404 bytes cmem[0]\n")


# (change to the report of kernel norm for sm_90, words of the only expected message; None: clean)
SELF_TEST = [
    ({}, None),
    ({"registers": 64}, None),
    ({"registers": 65}, "65 registers"),
    ({"spills": 8}, "8 bytes of spills"),
    ({"stack": 16}, "16 bytes of local memory"),
    ({"shared": ", 512 bytes smem"}, "512 bytes of static shared memory"),
    (None, "said nothing"),
]

# (instruction, is it forbidden)
PTX_SELF_TEST = [
    ("fma.rn.f32 %f1, %f2, %f3, %f4;", False),
    ("div.rn.f32 %f1, %f2, %f3; // not div.approx.f32", False),
    ("shared.approx_name: mov.u32 %r1, %r2;", False),
    ("ex2.approx.f32 %f1, %f2;", True),
    ("@%p1 div.approx.f32 %f1, %f2, %f3;", True),
    ("add.ftz.f32 %f1, %f2, %f3;", True),
    ("atom.global.add.f32 %f1, [%rd1], %f2;", True),
    ("red.global.add.f32 [%rd1], %f2;", True),
]


def self_test():
    """Each rule must find the mistake made for it, and nothing else."""
    failures, kernels = [], list(BUDGETS)
    for change, expected in SELF_TEST:
        text = ""
        for name in kernels:
            for arch in ARCHITECTURES:
                is_changed = name == "norm" and arch == "90"
                if not is_changed or change is not None:
                    text += report_of(name, arch, **(change if is_changed else {}))
        problems = check(parse(text), kernels, ARCHITECTURES)
        good = not problems if expected is None else len(problems) == 1 and expected in problems[0]
        if not good:
            failures.append(f"self-test: {change}: expected {expected!r}, found {problems}")
    if len(check({}, kernels[1:] + ["unknown"], [])) != 2:
        failures.append("self-test: a kernel without a budget and a budget without a kernel")
    for line, is_bad in PTX_SELF_TEST:
        if bool(check_ptx("x.cu", f".entry f\n{{\n\t{line}\n}}\n")) != is_bad:
            failures.append(f"self-test: PTX {line!r}: expected {is_bad}")
    return source_tree.report("check_kernels self-test", failures)


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--self-test", action="store_true", help="show that every rule can fail")
    parser.add_argument("--nvcc", default="nvcc", help="the compiler")
    parser.add_argument("--root", default=source_tree.default_root(), help="the tree to check")
    args = parser.parse_args()
    if args.self_test:
        return self_test()
    kernels = declared(source_tree.read(args.root, "cuda/cuda_kernels.h"))
    said, problems = compile_all(args.nvcc, args.root)
    found = parse(said)
    for (name, arch), (_, _, registers, _) in sorted(found.items()):
        print(f"{name:20} sm_{arch} {registers:4} registers")
    return source_tree.report("check_kernels", problems + check(found, kernels, ARCHITECTURES))


if __name__ == "__main__":
    sys.exit(main())
