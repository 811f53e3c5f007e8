"""A measured system as a process: commands in, one line of JSON out for each (bench_stet.c, peer_worker.py)."""

import json
import selectors
import subprocess
import time


class Ended(Exception):
    """The process ended, or did not answer in time."""


class Worker:
    """`ready` is its first line, which it writes when it has loaded. `seconds`: how long that may take."""

    def __init__(self, system, command, seconds=None, **popen):
        self.system, self.started = system, time.perf_counter()
        popen.setdefault("stderr", subprocess.DEVNULL)
        self.process = subprocess.Popen(list(map(str, command)), stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                        text=True, **popen)
        self.ready = self._answer(seconds)

    def _answer(self, seconds):
        if seconds is not None:
            with selectors.DefaultSelector() as ready:
                ready.register(self.process.stdout, selectors.EVENT_READ)
                if not ready.select(seconds):
                    self.process.kill()
                    raise Ended(f"{self.system}: no answer in {seconds:.0f} s")
        line = self.process.stdout.readline()
        if not line:
            raise Ended(f"{self.system} ended with code {self.process.wait()}: {' '.join(self.process.args)}")
        return json.loads(line)

    def ask(self, *words, seconds=None):
        try:
            self.process.stdin.write(" ".join(map(str, words)) + "\n")
            self.process.stdin.flush()
        except BrokenPipeError:
            pass  # the answer says why
        return self._answer(seconds)

    def close(self):
        self.process.stdin.close()
        self.process.wait()
