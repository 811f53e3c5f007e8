"""client_ctypes.py MODEL SENTENCES - stet in a Python program, without a compiler: ctypes releases the interpreter
lock around every call, so threads may wait in the blocking call while an event loop hands in requests and takes events.

STET_LIBRARY names the library; default: libstet.so.0 where the system finds it.
"""

import concurrent.futures
import ctypes
import faulthandler
import os
import selectors
import sys
from ctypes import POINTER, byref, c_char, c_char_p, c_float, c_int, c_int32, c_int64, c_size_t, c_uint32, c_uint64
from ctypes import c_void_p, sizeof

OK, E_INVALID, E_BUSY, E_DEADLINE, E_CANCELLED, E_SHUTDOWN = 0, -1, -3, -4, -5, -9
HEALTH_READY, HEALTH_DRAINING = 0, 1
UNIT_CODEPOINT = 2
CALLS, CANCEL_LAG, PAST = 1000, 10, 1

# ---- What to copy: the structs, the functions, the classes ----


class StetError(ctypes.Structure):
    _fields_ = [("struct_size", c_uint32), ("code", c_int32), ("retry_after_ms", c_uint32), ("reserved", c_uint32),
                ("message", c_char * 496)]


class StetOption(ctypes.Structure):
    _fields_ = [("key", c_char_p), ("value", c_char_p)]


class StetRequest(ctypes.Structure):
    _fields_ = [("struct_size", c_uint32), ("flags", c_uint32), ("text", c_char_p), ("len", c_size_t),
                ("tokens", POINTER(c_int32)), ("n_tokens", c_size_t), ("tag", c_uint64), ("deadline_ns", c_uint64),
                ("priority", c_int32), ("reserved", c_uint32), ("prompt", c_char_p)]


class StetEvent(ctypes.Structure):
    _fields_ = [("id", c_uint64), ("tag", c_uint64), ("status", c_int32), ("reserved", c_uint32), ("result", c_void_p),
                ("message", c_char * 240)]


class StetEdit(ctypes.Structure):
    _fields_ = [("src_off", c_uint64), ("src_len", c_uint64), ("out_off", c_uint64), ("out_len", c_uint64),
                ("text", c_void_p), ("text_len", c_size_t), ("score", c_float), ("sentence", c_uint32)]


lib = ctypes.CDLL(os.environ.get("STET_LIBRARY", "libstet.so.0"))
# Without these ctypes would take every argument and result for an int and cut pointers in half.
SIGNATURES = {
    "stet_clock_ns": (c_uint64, []),
    "stet_status_name": (c_char_p, [c_int32]),
    "stet_model_load": (c_int32, [c_char_p, c_void_p, c_size_t, POINTER(c_void_p), POINTER(StetError)]),
    "stet_model_release": (None, [c_void_p]),
    "stet_engine_create": (c_int32, [c_void_p, c_void_p, c_size_t, POINTER(c_void_p), POINTER(StetError)]),
    "stet_engine_drain": (c_int32, [c_void_p, c_uint64, POINTER(StetError)]),
    "stet_engine_destroy": (None, [c_void_p]),
    "stet_engine_health": (c_int32, [c_void_p]),
    "stet_correct_batch": (c_int32, [c_void_p, POINTER(StetRequest), c_size_t, POINTER(c_void_p), POINTER(c_int32),
                                     POINTER(StetError)]),
    "stet_cq_create": (c_int32, [POINTER(c_void_p), POINTER(StetError)]),
    "stet_cq_destroy": (None, [c_void_p]),
    "stet_cq_fd": (c_int, [c_void_p]),
    "stet_cq_poll": (c_int64, [c_void_p, POINTER(StetEvent), c_size_t, c_size_t, c_int64]),
    "stet_submit": (c_int32, [c_void_p, c_void_p, POINTER(StetRequest), c_size_t, POINTER(c_uint64),
                              POINTER(c_size_t), POINTER(StetError)]),
    "stet_cancel": (c_int32, [c_void_p, c_uint64]),
    "stet_result_release": (None, [c_void_p]),
    "stet_result_text": (c_void_p, [c_void_p, POINTER(c_size_t)]),
    "stet_result_edits": (c_int64, [c_void_p, c_uint32, POINTER(StetEdit), c_size_t, c_size_t, c_size_t]),
}
for function_name, (result_type, argument_types) in SIGNATURES.items():
    getattr(lib, function_name).restype = result_type
    getattr(lib, function_name).argtypes = argument_types


class CallFailed(Exception):
    def __init__(self, status, message, retry_after_ms=0):
        super().__init__(f"{lib.stet_status_name(status).decode()}: {message.decode()}")
        self.status, self.retry_after_ms = status, retry_after_ms


def call(function, *args):
    err = StetError(struct_size=sizeof(StetError))
    status = function(*args, byref(err))
    if status != OK:
        raise CallFailed(status, err.message, err.retry_after_ms)


def create(function, *args):
    """Calls one of the functions that make a handle."""
    handle = c_void_p()
    call(function, *args, byref(handle))
    return handle


def c_options(options):
    pairs = [StetOption(key.encode(), str(value).encode()) for key, value in options.items()]
    return (StetOption * len(pairs))(*pairs), len(pairs)


def c_request(data, tag=0, deadline_ns=0):
    return StetRequest(struct_size=sizeof(StetRequest), text=data, len=len(data), tag=tag, deadline_ns=deadline_ns)


class Result:
    """The text and the edits, offsets in code points as in a str; the C result is released at once."""

    def __init__(self, handle):
        length = c_size_t()
        text = lib.stet_result_text(handle, byref(length))
        self.text = ctypes.string_at(text, length.value).decode()
        n = lib.stet_result_edits(handle, UNIT_CODEPOINT, None, sizeof(StetEdit), 0, 0)
        edits = (StetEdit * n)()
        lib.stet_result_edits(handle, UNIT_CODEPOINT, edits, sizeof(StetEdit), 0, n)
        self.edits = [(e.src_off, e.src_off + e.src_len, ctypes.string_at(e.text, e.text_len).decode() if e.text_len
                       else "") for e in edits]
        lib.stet_result_release(handle)

    def applied_to(self, source):
        parts, at = [], 0
        for begin, end, text in self.edits:
            parts += [source[at:begin], text]
            at = end
        return "".join(parts) + source[at:]


class Engine:
    """An engine with a completion queue; a context manager."""

    def __init__(self, folder, **options):
        self.engine = self.queue = None
        model = create(lib.stet_model_load, folder.encode(), *c_options({"device": "cpu", "intra_threads": 1}))
        try:
            self.engine = create(lib.stet_engine_create, model, *c_options(options))
            self.queue = create(lib.stet_cq_create)
        finally:
            lib.stet_model_release(model)  # the engine keeps a reference of its own

    def __enter__(self):
        return self

    def __exit__(self, *_):
        lib.stet_engine_destroy(self.engine)
        lib.stet_cq_destroy(self.queue)

    def fileno(self):
        return lib.stet_cq_fd(self.queue)

    def health(self):
        return lib.stet_engine_health(self.engine)

    def drain(self):
        call(lib.stet_engine_drain, self.engine, 0)

    def correct_batch(self, texts):
        n = len(texts)
        requests = (StetRequest * n)(*[c_request(text.encode()) for text in texts])
        results = (c_void_p * n)()
        call(lib.stet_correct_batch, self.engine, requests, n, results, None)
        return [Result(handle) for handle in results]

    def submit(self, text, tag, deadline_ns):
        identity = c_uint64()
        call(lib.stet_submit, self.engine, self.queue, byref(c_request(text.encode(), tag, deadline_ns)), 1,
             byref(identity), None)
        return identity.value

    def cancel(self, identity):
        return lib.stet_cancel(self.engine, identity)

    def take(self):
        """(id, tag, status, Result or message) of what is there; never waits."""
        events = (StetEvent * 16)()
        n = lib.stet_cq_poll(self.queue, events, sizeof(StetEvent), 16, 0)
        check(n >= 0, "stet_cq_poll succeeds")
        return [(e.id, e.tag, e.status, Result(e.result) if e.result else e.message.decode()) for e in events[:n]]


# ---- The test ----


def check(good, what):
    if not good:
        raise SystemExit(f"client_ctypes: does not hold: {what}")


class Call:
    def __init__(self, number, source, expected):
        self.number, self.source, self.expected = number, source, expected
        self.id, self.cancelled, self.finished = None, False, False
        self.deadline_ns = {3: PAST, 8: lib.stet_clock_ns() + 300_000}.get(number % 10, 0)


class Loop:
    """One thread: hands in, cancels, and sleeps in select, where a program has its sockets as well."""

    def __init__(self, engine, lines, expected):
        self.engine, self.lines, self.expected = engine, lines, expected
        self.calls = []
        self.counts = dict.fromkeys(("done", "cancelled", "deadline", "busy"), 0)
        self.selector = selectors.DefaultSelector()
        self.selector.register(engine, selectors.EVENT_READ)

    def outcome(self, done_call, kind):
        check(not done_call.finished, "one event for each request")
        done_call.finished = True
        self.counts[kind] += 1

    def submit(self, new):
        """How long to wait before the next; None: the engine is busy no longer."""
        try:
            new.id = self.engine.submit(new.source, new.number, new.deadline_ns)
        except CallFailed as e:
            if e.status == E_BUSY:
                self.counts["busy"] += 1
                return max(1, e.retry_after_ms) / 1000
            if e.status != E_DEADLINE or new.deadline_ns == 0:
                raise
            self.outcome(new, "deadline")
        return None

    def cancel(self, number):
        if number >= 0 and number % 7 == 6 and self.calls[number].id is not None:
            self.calls[number].cancelled = True
            check(self.engine.cancel(self.calls[number].id) == OK, "cancelling is always legal")

    def take_events(self, timeout):
        for _ in self.selector.select(timeout):
            for identity, tag, status, result in self.engine.take():
                check(tag < len(self.calls), "the tag is one of ours")
                self.take_event(self.calls[tag], identity, status, result)

    def take_event(self, done_call, identity, status, result):
        check(done_call.id == identity, "tag and id belong together")
        if status == OK:
            check(done_call.deadline_ns != PAST, "what is too late is not done")
            check(result.text == done_call.expected, "same as the blocking call")
            check(result.applied_to(done_call.source) == result.text, "the edits give the text")
            self.outcome(done_call, "done")
        elif status == E_CANCELLED and done_call.cancelled:
            self.outcome(done_call, "cancelled")
        elif status == E_DEADLINE and done_call.deadline_ns != 0:
            self.outcome(done_call, "deadline")
        else:
            raise CallFailed(status, result.encode())

    def run(self):
        for number in range(CALLS):
            i = number % len(self.lines)
            new = Call(number, self.lines[i], self.expected[i])
            self.calls.append(new)
            while (wait := self.submit(new)) is not None:
                self.take_events(wait)
            self.cancel(number - CANCEL_LAG)

    def finish(self):
        self.engine.drain()
        while self.selector.select(0):  # drained: all events are there
            self.take_events(0)
        check(all(c.finished for c in self.calls), "every accepted request has an event")


def check_end(engine):
    check(engine.health() == HEALTH_DRAINING, "the engine is draining")
    check(engine.cancel(2**64 - 1) == E_INVALID, "an unknown id cannot be cancelled")
    try:
        engine.submit("Bace.", 0, 0)
    except CallFailed as e:
        check(e.status == E_SHUTDOWN, "a drained engine says that it shuts down")
    else:
        check(False, "a drained engine accepts nothing")


def main():
    faulthandler.dump_traceback_later(120, exit=True)
    if len(sys.argv) != 3:
        raise SystemExit("usage: client_ctypes.py MODEL SENTENCES")
    with open(sys.argv[2], encoding="utf-8") as f:
        lines = f.read().splitlines()
    with Engine(sys.argv[1], queue_size=64, max_decoding_length=48) as engine, \
            concurrent.futures.ThreadPoolExecutor() as pool:
        check(engine.health() == HEALTH_READY, "a new engine is ready")
        expected = [r.text for r in engine.correct_batch(lines)]
        check(sum(a != b for a, b in zip(lines, expected)) >= 5, "the model changes enough for a comparison")
        # These wait in the blocking call while the loop runs.
        blocking = [pool.submit(engine.correct_batch, lines) for _ in range(4)]
        loop = Loop(engine, lines, expected)
        loop.run()
        for future in blocking:
            check([r.text for r in future.result()] == expected, "the same from every thread")
        loop.finish()
        check_end(engine)
        loop.selector.close()  # before the queue closes the descriptor that it watches
    n = loop.counts
    check(n["done"] + n["cancelled"] + n["deadline"] == CALLS, "one outcome for each request")
    check(all(n.values()), "all cases came up")
    print("ok: " + ", ".join(f"{count} {kind}" for kind, count in n.items()))


if __name__ == "__main__":
    main()
