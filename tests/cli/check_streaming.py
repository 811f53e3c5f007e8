"""check_streaming.py STET: writes a line, waits for its answer, and only then writes the next one."""
import os
import pty
import select
import subprocess
import sys
import tty


def read_until(fd, end, seconds=60):
    data = b""
    while not data.endswith(end):
        ready, _, _ = select.select([fd], [], [], seconds)
        if not ready:
            sys.exit("no answer; so far: %r" % data)
        data += os.read(fd, 4096)
    return data


def through_pipe(args, exchanges):
    p = subprocess.Popen(args, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    for question, answer in exchanges:
        os.write(p.stdin.fileno(), question)
        if answer:
            got = read_until(p.stdout.fileno(), b"\n")
            assert got == answer, got
    p.stdin.close()
    rest = p.stdout.read()
    return rest, p.wait()


def on_terminal(args):
    master, slave = pty.openpty()
    tty.setraw(master)
    p = subprocess.Popen(args, stdin=slave, stdout=subprocess.PIPE)
    os.close(slave)
    attributes = tty.tcgetattr(master)
    attributes[3] |= tty.ICANON
    tty.tcsetattr(master, tty.TCSANOW, attributes)
    for question, answer in ((b"teh one\n", b"the one\n"), (b"teh two\n", b"the two\n")):
        os.write(master, question)
        got = read_until(p.stdout.fileno(), b"\n")
        assert got == answer, got
    os.write(master, b"\x04")
    return p.stdout.read(), p.wait()


def main():
    stet = sys.argv[1]
    lines = [(b"teh one\n", b"the one\n"), (b"teh t", b""), (b"wo\n", b"the two\n"), (b"\n", b"\n")]
    print("lines", through_pipe([stet, "correct"], lines + [(b"teh end", b"")]))
    paragraphs = [(b"teh one\nteh two\n", b""), (b"\n", b"the one\nthe two\n\n"), (b"teh three\n", b"")]
    print("wrapped", through_pipe([stet, "correct", "--input=wrapped"], paragraphs))
    print("terminal", on_terminal([stet, "correct"]))


main()
