#!/usr/bin/env python3
"""Makes model folders that are broken or that stet does not support, from the whole ones of tests/fixtures.

usage: make_broken_folders.py OUT [--list]

OUT must not exist. OUT/whole holds the folders they are made of, OUT/broken one folder for each case. --list prints
the names of the cases and the pattern of the message that each must give.
"""

import argparse
import os

import broken_config_cases
import broken_file_cases
import broken_tokenizer_cases
import broken_weights_cases
from folder_cases import CASES, WHOLE, Folder, make_whole

for module in (broken_config_cases, broken_weights_cases, broken_tokenizer_cases, broken_file_cases):
    module.add_all()


def make_all(out):
    """Returns the whole folders' paths; sets "path" of every case."""
    whole = {name: os.path.join(out, "whole", name) for name in WHOLE}
    os.makedirs(os.path.join(out, "whole"))
    os.mkdir(os.path.join(out, "broken"))
    for name, path in whole.items():
        make_whole(path, name)
    for c in CASES:
        c["path"] = os.path.join(out, "broken", c["name"])
        c["make"](Folder(c["path"], whole.get(c["whole"])))
    return list(whole.values())


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("out", metavar="OUT")
    parser.add_argument("--list", action="store_true")
    options = parser.parse_args()
    make_all(os.path.abspath(options.out))
    for c in CASES if options.list else ():
        print(c["name"] + "\t" + c["pattern"])


if __name__ == "__main__":
    main()
