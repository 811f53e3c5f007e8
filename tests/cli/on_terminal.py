"""on_terminal.py COMMAND...: runs a command whose standard output and error are a terminal; copies what it says."""
import os
import pty
import subprocess
import sys


def main():
    master, slave = pty.openpty()
    p = subprocess.Popen(sys.argv[1:], stdin=subprocess.DEVNULL, stdout=slave, stderr=slave)
    os.close(slave)
    while True:
        try:
            data = os.read(master, 4096)
        except OSError:  # how Linux says that the other side was closed
            break
        if not data:
            break
        sys.stdout.buffer.write(data)
    sys.exit(p.wait())


main()
