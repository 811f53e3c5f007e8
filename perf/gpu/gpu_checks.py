#!/usr/bin/env python3
"""Correctness before speed: the tests that need a device, a ledger of drafted against greedy tokens, and NVIDIA's
checkers of memory and races. No time of a run in which one of these fails is to be believed.

usage: gpu_checks.py [--dry_run] [--seconds N] [--programs DIR] --work DIR RESULTS

Records: check, with status pass, fail, skipped, timeout or missing, and counts of tests; ledger, with tokens compared
and differing; a test that skips itself on a device counts as failed. Exits 1 when a check failed or a token differed.
"""

import os
import re
import shutil
import subprocess
import sys
import time

import gpu_common

OPS = ("op_linear_test", "op_argmax_test", "op_attention_test", "op_norm_test", "op_embed_test", "op_copy_test",
       "row_invariance_test", "cpu_backend_test")
# What compute-sanitizer looks at: every shape of a product, of the best token and of attention, once.
TOOLS = ("memcheck", "synccheck", "racecheck")
SANITIZED = ":".join(f"*{test}*/cuda" for test in ("EveryRowCount", "OddSizes", "IdsLogits", "HeadsKeys",
                                                     "AHeadAndATail"))
WHOLE_MODELS = "*Oracle*:*HfFolder*:*Forced*:*Drafted*:*Bf16*"
LEDGER = "Ledger.NoTokenDiffers"
LEDGER_SECONDS, LEDGER_TOKENS = 25, 5000
TEXT = "Bace difo guha. Jeki lomu nape! Risotu?\nso tu va we xi yo zu\n"


def sanitizer():
    found = shutil.which("compute-sanitizer")
    return found or next((p for p in ("/usr/local/cuda/bin/compute-sanitizer",
                                      "/usr/local/cuda/compute-sanitizer/compute-sanitizer")
                          if os.path.exists(p)), None)


class Section:
    def __init__(self, args):
        self.args, self.record, self.clock = args, gpu_common.Record(args), gpu_common.Clock(args.seconds)
        self.failed = 0
        plugin = str(args.programs / "libstet_cuda.so")
        self.env = dict(os.environ, STET_CUDA_DEVICE=plugin, STET_PLUGIN_PATH=plugin,
                        STET_FIXTURES=str(gpu_common.ROOT / "tests/fixtures"))
        if args.dry_run:  # the fibers stand for the device
            del self.env["STET_CUDA_DEVICE"]
        self.target = "cuda_shim" if args.dry_run else "cuda"

    def run(self, command, seconds, **env):
        """(exit code or None after so many seconds, all that it wrote, how long it took)."""
        started = time.monotonic()
        try:
            done = subprocess.run([str(c) for c in command], capture_output=True, text=True, errors="replace",
                                  timeout=max(1.0, min(seconds, self.clock.left())), env={**self.env, **env})
            return done.returncode, done.stdout + done.stderr, time.monotonic() - started
        except subprocess.TimeoutExpired as e:
            text = e.stdout or b""
            text = text.decode(errors="replace") if isinstance(text, bytes) else text
            return None, text, time.monotonic() - started

    def program(self, name):
        path = self.args.programs / "tests" / name
        return path if path.exists() else None

    def check(self, name, command, seconds, may_skip=False, **env):
        if self.clock.left() <= 0:
            self.record("check", name=name, status="timeout", reason="no time was left")
            return
        if None in command:
            self.record("check", name=name, status="skipped" if may_skip else "missing",
                        reason="the programme was not built")
            self.failed += not may_skip
            return
        code, text, seconds = self.run(command, seconds, **env)
        passed, failed, skipped = (sum(map(int, re.findall(pattern, text))) for pattern in (
            r"\[  PASSED  \] (\d+) test", r"\[  FAILED  \] (\d+) test", r"\[  SKIPPED \] (\d+) test"))
        races = re.findall(r"ERROR SUMMARY: (\d+) error|RACECHECK SUMMARY: (\d+) hazard", text)
        bad = code != 0 or failed or (skipped and not may_skip) or any(int(a or b) for a, b in races)
        status = "timeout" if code is None else "fail" if bad else "skipped" if skipped else "pass"
        if "Device not supported" in text:
            self.record("check", name=name, status="skipped", reason="compute-sanitizer: Device not supported")
            return
        if status == "pass" and "gtest" in " ".join(map(str, command)) and passed == 0:
            status = "fail"  # a filter that finds nothing shows nothing
        self.failed += status == "fail"
        output = {} if status in ("pass", "skipped") else {"output": text[-1500:]}
        self.record("check", name=name, status=status, passed=passed, failed=failed, skipped=skipped, exit_code=code,
                    seconds=seconds, **output)

    def tests(self):
        dry = self.args.dry_run
        self.check("cuda_plugin_test", [self.program("cuda_plugin_test")], 20, may_skip=dry)
        for name in OPS[-3:-2] if dry else OPS:
            self.check(name, [self.program(name), f"--gtest_filter=*/{self.target}"], 30)
        models = "Fixtures/Oracle.GreedyIdsAreThoseOfPyTorch/0" if dry else WHOLE_MODELS
        self.check("whole models", [self.program("exact_shim_test"), f"--gtest_filter={models}"], 60)

    def ledger(self):
        """Other sentences and settings each time, until its time is over."""
        program = self.program("exact_test" if self.args.dry_run else "exact_shim_test")  # fibers are too slow
        if program is None:
            self.record("check", name="ledger", status="missing", reason="the programme was not built")
            self.failed += 1
            return
        sums, seed = {"tokens": 0, "differing_tokens": 0, "differing_scores": 0}, 0
        report = self.args.work / "ledger.md"
        clock = gpu_common.Clock(min(LEDGER_SECONDS, self.clock.left()) if not self.args.dry_run else 0)
        names = {"tokens compared": "tokens", "differing tokens": "differing_tokens",
                 "differing scores (bits)": "differing_scores"}
        while seed == 0 or clock.left() > 0:
            seed += 1
            code, text, _ = self.run(
                [program, f"--gtest_filter={LEDGER}"], 120, STET_LEDGER_TOKENS=str(LEDGER_TOKENS),
                STET_LEDGER_SEED=str(seed), STET_LEDGER_REPORT=str(report))
            if code != 0:
                self.record("check", name=f"ledger, seed {seed}", status="timeout" if code is None else "fail",
                            output=text[-1500:])
                self.failed += code is not None
            if not report.exists():
                break
            for what, value in re.findall(r"\| \**([^|*]+?)\** \| \**(\d+)\** \|", report.read_text(encoding="utf-8")):
                if what in names:
                    sums[names[what]] += int(value)
            report.unlink()
        self.record("ledger", seeds=seed, **sums)

    def sanitize(self):
        tool = sanitizer()
        if tool is None or self.args.dry_run:
            self.record("check", name="compute-sanitizer", status="skipped",
                        reason="a dry run has no device" if self.args.dry_run else "it is not on this machine")
            return
        text = self.args.work / "sanitized.txt"
        text.write_text(TEXT, encoding="utf-8")
        for name in TOOLS:
            head = [tool, "--tool", name, "--error-exitcode", "9"]
            for program in ("op_linear_test", "op_argmax_test", "op_attention_test"):
                self.check(f"{name}: {program}", head + [self.program(program), f"--gtest_filter={SANITIZED}"], 20)
            model = gpu_common.ROOT / "tests/fixtures/transformer-pre"
            self.check(f"{name}: a tiny model", head + [self.args.programs / "stet", "correct", "-m", model, "--device",
                                                        "cuda", "--compute_type", "bfloat16", text], 15)


def main():
    args = gpu_common.arguments("checks", __doc__.split("\n\n")[1].removeprefix("usage: "))
    section = Section(args)
    section.tests()
    section.ledger()
    section.sanitize()
    return 1 if section.failed else 0


if __name__ == "__main__":
    sys.exit(main())
