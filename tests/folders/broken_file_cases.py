"""Folders with files that are not files, tables of misspellings that are none, and paths that are not folders."""

import os
import shutil
import struct

from folder_cases import case, simple

FILES = {"config": "config.json", "generation": "generation_config.json", "weights": "model.safetensors",
         "spm": "spiece.model", "json": "tokenizer.json", "tokenizer-config": "tokenizer_config.json",
         "stet-json": "stet.json", "misspellings": "misspellings.table",
         "index": "model.safetensors.index.json"}


def replace(name, make):
    def inner(f):
        if os.path.lexists(f.at(name)):
            os.remove(f.at(name))
        if name in ("tokenizer.json", "model.safetensors.index.json"):
            for other in ("spiece.model",) if name == "tokenizer.json" else ("model.safetensors",):
                os.remove(f.at(other))
        make(f.at(name))
    return inner


def add_kinds():
    for short, file in FILES.items():
        where = r"(.*: )?FOLDER/" + file.replace(".", r"\.") + ": "
        simple(f"folder-as-{short}", "edge", where + r"is a folder, expected a regular file", replace(file, os.mkdir))
        simple(f"pipe-as-{short}", "edge", where + r"is a pipe, expected a regular file", replace(file, os.mkfifo))
        simple(f"dead-link-as-{short}", "edge", where + r"cannot be opened: No such file or directory.*",
               replace(file, lambda path: os.symlink("gone", path)))
    simple("device-as-config", "edge", r"FOLDER/config\.json: is a device, expected a regular file",
           replace("config.json", lambda path: os.symlink("/dev/zero", path)))
    simple("link-loop", "edge", r"(.*: )?FOLDER/model\.safetensors: cannot be opened: Too many levels of .*",
           replace("model.safetensors", lambda path: os.symlink("model.safetensors", path)))


def table(n_rows=1, end=3, block=0, rows=b"\x03teh\0\0"):
    """A misspellings.table of one word, "the"; format: host/text/misspellings.h."""
    return b"stetmsp1" + struct.pack("<6I", n_rows, 1, 3, len(rows), end, block) + b"the" + rows


def add_tables():
    where = r"FOLDER/misspellings\.table: "
    for name, says, data in (
            ("empty", "is no table of misspellings: .*", b""),
            ("text", "is no table of misspellings: .*", b"teh the\n" * 9),
            ("pointer", "is a pointer of Git LFS, .*", b"version https://git-lfs.github.com/spec/v1\nsize 1\n"),
            ("cut", r"has 40 bytes, but its header says 41: it is cut off or damaged", table()[:-1]),
            ("word", r"word 0: must be 1 to 255 bytes of text in UTF-8", table(end=4)),
            ("block", r"row 0: its block is said to begin elsewhere", table(block=1)),
            ("unsorted", r"row 1: is not sorted behind the row before", table(2, rows=b"\1b\0\0\1a\0\0")),
            ("number", r"row 0: its word does not exist", table(rows=b"\1b\1\0"))):
        simple("misspellings-" + name, "edge", where + says, lambda f, data=data: f.write("misspellings.table", data))


def add_paths():
    simple("folder-empty", None, r"FOLDER/config\.json: is missing; a model is a folder with .*", lambda f: None)

    @case("folder-absent", None, r"FOLDER: cannot be opened: No such file or directory")
    def _(f):
        os.rmdir(f.path)

    @case("folder-is-a-file", None, r"FOLDER: is not a folder; a model is a folder with config\.json")
    def _(f):
        os.rmdir(f.path)
        with open(f.path, "w", encoding="ascii") as out:
            out.write("{}")

    @case("folder-is-a-loop", None, r"FOLDER: cannot be opened: Too many levels of symbolic links")
    def _(f):
        os.rmdir(f.path)
        os.symlink(os.path.basename(f.path), f.path)

    @case("folder-is-a-pipe", None, r"FOLDER: is not a folder; .*")
    def _(f):
        os.rmdir(f.path)
        os.mkfifo(f.path)


def add_rights():
    for short in ("config", "weights", "spm", "generation"):
        file = FILES[short]

        @case(f"no-right-to-{short}", "edge", "FOLDER/" + file.replace(".",
              r"\.") + r": cannot be opened: Permission denied.*",
              as_user=True)
        def _(f, file=file):
            source = os.path.realpath(f.at(file))
            os.remove(f.at(file))
            shutil.copyfile(source, f.at(file))
            os.chmod(f.at(file), 0)

    @case("no-right-to-folder", "edge", r"FOLDER/config\.json: cannot be opened: Permission denied.*", as_user=True)
    def _(f):
        os.chmod(f.path, 0)


def add_all():
    add_kinds()
    add_tables()
    add_paths()
    add_rights()
