"""Reads checkpoints of PyTorch without PyTorch, and without running anything that stands in them.

A checkpoint is a pickle, which in general is a programme: it may name any function and have it called. Here it is
read by an interpreter that only builds data. Names of functions and classes are looked up in a list of those that
checkpoints need; every other one is refused, by name, when it is read. Nothing is ever imported or called: the few
calls that make tensors and dictionaries are recognised and done here, and all other objects become Inert.

Both formats are read: the zip files that torch.save writes since 1.6, and the older sequence of pickles.
"""

import mmap
import os
import pickletools
import re
import struct
import zipfile

MAGIC = 0x1950a86a20f9469cfc6c
PROTOCOL = 1001
# Name of a storage class -> safetensors type and bytes per element.
STORAGES = {"FloatStorage": ("F32", 4), "HalfStorage": ("F16", 2), "BFloat16Storage": ("BF16", 2),
            "DoubleStorage": ("F64", 8), "LongStorage": ("I64", 8), "IntStorage": ("I32", 4),
            "ShortStorage": ("I16", 2), "CharStorage": ("I8", 1), "ByteStorage": ("U8", 1),
            "BoolStorage": ("BOOL", 1)}
# Calls that are done here, each by a function of this file.
CALLS = {"collections.OrderedDict": "ordered_dict", "torch._utils._rebuild_tensor_v2": "tensor",
         "torch._utils._rebuild_tensor": "tensor", "torch._utils._rebuild_parameter": "parameter"}
# What may be named besides, and becomes Inert: settings of fairseq, and types that settings mention.
INERT = re.compile(
    r"argparse\.Namespace|omegaconf\.[a-z_]+(\.[a-z_]+)?\.[A-Za-z]+|fairseq(\.[a-z0-9_]+)+\.[A-Za-z0-9_]+|typing\.Any"
    r"|(builtins|__builtin__)\.(dict|list|tuple|set|str|int|float|bool|bytes|object)|collections\.defaultdict"
    r"|pathlib\.(PosixPath|WindowsPath|Path)|torch\.(device|Size|float(16|32|64)|bfloat16|u?int(8|16|32|64)|bool)"
    r"|numpy\.(dtype|float(16|32|64)|int(32|64)|ndarray)|numpy\.(_?core)\.multiarray\.(scalar|_reconstruct)"
    r"|_codecs\.encode")
POINTERS = {1: "B", 2: "H", 4: "I", 8: "Q"}


class CheckpointError(Exception):
    """What is wrong with a file, for people."""


class Global:
    """A name of a function or class."""

    def __init__(self, name):
        self.name = name


class Inert:
    """An object of a class that is not looked at: its class's name, what it was made with, and its state."""

    def __init__(self, name, made_with):
        self.name, self.made_with, self.state, self.items = name, made_with, None, {}


class Storage:
    """Elements in a row. read() gives their bytes."""

    def __init__(self, kind, key, count):
        self.dtype, self.item = STORAGES[kind]
        self.key, self.count, self.read = key, count, None


class Tensor:
    """A view of a storage; counts are in elements."""

    def __init__(self, storage, offset, shape, stride):
        self.storage, self.offset, self.shape, self.stride = storage, offset, tuple(shape), tuple(stride)
        self.dtype = storage.dtype
        numbers = (offset,) + self.shape + self.stride
        if len(self.shape) != len(self.stride) or any(not isinstance(n, int) or n < 0 for n in numbers):
            raise CheckpointError(f"storage {storage.key}: a tensor has the shape {self.shape} and the strides "
                                  f"{self.stride}")
        self.count, last = 1, offset
        for n, step in zip(self.shape, self.stride):
            self.count *= n
            last += (n - 1) * step
        if self.count > 0 and (last >= storage.count or self.count > storage.count):
            raise CheckpointError(f"storage {storage.key} has {storage.count} elements, too few for a tensor of the "
                                  f"shape {self.shape} with the strides {self.stride} from element {offset} on")

    def same_memory(self, other):
        """1 if the two are one tensor under two names."""
        return (self.storage is other.storage and self.offset == other.offset and self.shape == other.shape
                and self.stride == other.stride)

    def is_contiguous(self):
        step = 1
        for n, s in zip(reversed(self.shape), reversed(self.stride)):
            if n != 1 and s != step:
                return False
            step *= n
        return True

    def data(self):
        """The bytes of the elements in the order of their indices."""
        item, raw = self.storage.item, self.storage.read()
        if self.count == 0:
            return b""
        if self.is_contiguous():
            return raw[self.offset * item:(self.offset + self.count) * item]
        elements = memoryview(raw).cast("B").cast(POINTERS[item])
        starts = [self.offset]
        for n, step in zip(self.shape[:-1], self.stride[:-1]):
            starts = [s + i * step for s in starts for i in range(n)]
        n, step = self.shape[-1], self.stride[-1]
        if step == 0:
            return b"".join(elements[s:s + 1].tobytes() * n for s in starts)
        return b"".join(elements[s:s + (n - 1) * step + 1:step].tobytes() for s in starts)


class Interpreter:
    """Runs one pickle, as data. storages: those met so far, by key."""

    def __init__(self, storages):
        self.storages, self.stack, self.marks, self.memo = storages, [], [], {}

    def run(self, stream):
        """The value of the pickle that begins at the stream's position."""
        for opcode, argument, _ in pickletools.genops(stream):
            name = opcode.name
            if name == "STOP":
                return self.stack.pop()
            action = ACTIONS.get(name)
            if action is not None:
                action(self, argument)
            elif name in VALUES:
                self.stack.append(argument)
            elif name not in ("PROTO", "FRAME"):
                raise CheckpointError(f"the pickle has the instruction {name}, which no checkpoint needs")
        raise CheckpointError("the pickle has no end")

    def cut(self):
        """What stands above the last mark."""
        at = self.marks.pop()
        above = self.stack[at:]
        del self.stack[at:]
        return above

    def top(self, n):
        values = self.stack[-n:]
        if len(values) != n:
            raise IndexError("stack")
        del self.stack[-n:]
        return values

    def name_global(self, module, name):
        full = f"{module}.{name}"
        is_storage = module == "torch" and name in STORAGES
        if not is_storage and full not in CALLS and not INERT.fullmatch(full):
            raise CheckpointError(f"the pickle names {full}, which is not one of the functions and classes that "
                                  f"checkpoints need; nothing of it was run")
        self.stack.append(Global(full))

    def call(self, function, arguments):
        if not isinstance(function, Global) or not isinstance(arguments, tuple):
            raise CheckpointError("the pickle calls what is no function")
        kind = CALLS.get(function.name)
        if kind == "ordered_dict":
            return dict(arguments[0]) if arguments else {}
        if kind == "tensor":
            if not isinstance(arguments[0], Storage):
                raise CheckpointError("a tensor has no storage")
            return Tensor(*arguments[:4])
        if kind == "parameter":
            if not isinstance(arguments[0], Tensor):
                raise CheckpointError("a parameter is no tensor")
            return arguments[0]
        return Inert(function.name, arguments)

    def set_items(self, target, flat):
        if isinstance(target, Inert):
            target = target.items
        if not isinstance(target, dict):
            raise CheckpointError("the pickle sets items of what is no dictionary")
        target.update(zip(flat[::2], flat[1::2]))

    def add_items(self, target, items):
        if isinstance(target, list):
            target.extend(items)
        elif not isinstance(target, Inert):
            raise CheckpointError("the pickle appends to what is no list")

    def build(self):
        state = self.stack.pop()
        if isinstance(self.stack[-1], Inert):
            self.stack[-1].state = state

    def find_storage(self, identity):
        if not isinstance(identity, tuple) or len(identity) < 5 or identity[0] != "storage" or \
                not isinstance(identity[1], Global) or not isinstance(identity[4], int):
            raise CheckpointError("the pickle refers to something that is no storage")
        if len(identity) > 5 and identity[5] is not None:
            raise CheckpointError("a storage is a view of another one; write the file again with a newer PyTorch")
        kind, key = identity[1].name.rpartition(".")[2], str(identity[2])
        if kind not in STORAGES or not 0 <= identity[4] < 1 << 48:
            raise CheckpointError(f"storage {key} is a {identity[1].name} of {identity[4]} elements")
        found = self.storages.setdefault(key, Storage(kind, key, identity[4]))
        if (found.dtype, found.count) != (STORAGES[kind][0], identity[4]):
            raise CheckpointError(f"storage {key} is described in two ways")
        self.stack.append(found)


def _do(change):
    """An action without argument."""
    return lambda m, _: change(m)


def _push(make):
    return lambda m, _: m.stack.append(make(m))


def _store(m, key):
    m.memo[key] = m.stack[-1]


def _reduce(m):
    function, arguments = m.top(2)
    return m.call(function, arguments)


def _reduce_with_keywords(m):
    function, arguments, keywords = m.top(3)
    if keywords:
        raise CheckpointError("the pickle calls a function with named arguments")
    return m.call(function, arguments)


def _set_item(m):
    pair = m.top(2)
    m.set_items(m.stack[-1], pair)


def _cut_then(change):
    def action(m, _):
        above = m.cut()
        change(m, m.stack[-1], above)
    return action


def _pairs(m):
    flat = m.cut()
    return dict(zip(flat[::2], flat[1::2]))


VALUES = {"INT", "BININT", "BININT1", "BININT2", "LONG", "LONG1", "LONG4", "FLOAT", "BINFLOAT", "STRING", "BINSTRING",
          "SHORT_BINSTRING", "UNICODE", "SHORT_BINUNICODE", "BINUNICODE", "BINUNICODE8", "BINBYTES", "SHORT_BINBYTES",
          "BINBYTES8"}
ACTIONS = {
    "NONE": _push(lambda m: None), "NEWTRUE": _push(lambda m: True), "NEWFALSE": _push(lambda m: False),
    "EMPTY_LIST": _push(lambda m: []), "EMPTY_TUPLE": _push(lambda m: ()), "EMPTY_DICT": _push(lambda m: {}),
    "EMPTY_SET": _push(lambda m: []), "MARK": _do(lambda m: m.marks.append(len(m.stack))),
    "POP": _do(lambda m: m.stack.pop()), "POP_MARK": _do(lambda m: m.cut()), "DUP": _push(lambda m: m.stack[-1]),
    "LIST": _push(lambda m: m.cut()), "TUPLE": _push(lambda m: tuple(m.cut())), "DICT": _push(_pairs),
    "FROZENSET": _push(lambda m: m.cut()), "TUPLE1": _push(lambda m: tuple(m.top(1))),
    "TUPLE2": _push(lambda m: tuple(m.top(2))), "TUPLE3": _push(lambda m: tuple(m.top(3))),
    "APPEND": _do(lambda m: m.add_items(m.stack[-2], [m.stack.pop()])),
    "APPENDS": _cut_then(lambda m, target, above: m.add_items(target, above)),
    "ADDITEMS": _cut_then(lambda m, target, above: m.add_items(target, above)),
    "SETITEM": _do(_set_item), "SETITEMS": _cut_then(lambda m, target, above: m.set_items(target, above)),
    "GET": lambda m, key: m.stack.append(m.memo[key]), "BINGET": lambda m, key: m.stack.append(m.memo[key]),
    "LONG_BINGET": lambda m, key: m.stack.append(m.memo[key]),
    "PUT": _store, "BINPUT": _store, "LONG_BINPUT": _store, "MEMOIZE": lambda m, _: _store(m, len(m.memo)),
    "GLOBAL": lambda m, both: m.name_global(*both.split(" ", 1)),
    "STACK_GLOBAL": _do(lambda m: m.name_global(*m.top(2))),
    "REDUCE": _push(_reduce), "NEWOBJ": _push(_reduce), "NEWOBJ_EX": _push(_reduce_with_keywords),
    "BUILD": _do(lambda m: m.build()), "BINPERSID": _do(lambda m: m.find_storage(m.stack.pop()))}


def _read_zip(path, handle):
    archive = zipfile.ZipFile(handle)
    pickles = [n for n in archive.namelist() if n.endswith("/data.pkl") and n.count("/") == 1]
    if len(pickles) != 1:
        raise CheckpointError("the zip file holds no data.pkl, or several")
    folder, storages = pickles[0].rpartition("/")[0], {}
    if folder + "/byteorder" in archive.namelist() and archive.read(folder + "/byteorder") != b"little":
        raise CheckpointError("the file was written on a big-endian machine")
    with archive.open(pickles[0]) as stream:
        value = Interpreter(storages).run(stream)
    for key, storage in storages.items():
        name = f"{folder}/data/{key}"
        info = archive.getinfo(name) if name in archive.namelist() else None
        if info is None or info.file_size != storage.count * storage.item or info.compress_type != zipfile.ZIP_STORED:
            raise CheckpointError(f"storage {key} is missing from the zip file, or has another size than "
                                  f"{storage.count * storage.item} bytes")
        storage.read = lambda name=name: _checked(path, archive, name)
    return value


def _checked(path, archive, name):
    try:
        return archive.read(name)
    except (zipfile.BadZipFile, OSError, EOFError, ValueError, RuntimeError, NotImplementedError) as e:
        raise CheckpointError(f"{path}: {name}: {e}") from e


def _read_sequence(stream):
    """The format before 1.6: magic number, protocol, facts about the machine, the value, keys, storages."""
    storages = {}
    if Interpreter({}).run(stream) != MAGIC or Interpreter({}).run(stream) != PROTOCOL:
        raise CheckpointError("neither a zip file nor the older format of torch.save; files of PyTorch before 0.1.10, "
                              "which are tar files, are not read")
    facts = Interpreter({}).run(stream)
    if not isinstance(facts, dict) or facts.get("little_endian") is not True:
        raise CheckpointError("the file was written on a big-endian machine")
    value = Interpreter(storages).run(stream)
    for key in Interpreter({}).run(stream):
        head = stream.read(8)
        at = stream.tell()
        count = struct.unpack("<q", head)[0] if len(head) == 8 else -1
        storage = storages.pop(key, None)
        if storage is None or count != storage.count or at + count * storage.item > len(stream):
            raise CheckpointError(f"storage {key} has {count} elements, or the file ends before it does")
        storage.read = lambda a=at, b=at + count * storage.item: stream[a:b]
        stream.seek(at + count * storage.item)
    if storages:
        raise CheckpointError(f"storage {min(storages)} is missing from the file")
    return value


def load(path):
    """The value that torch.save wrote, with Tensor for tensors; their bytes are read when they are asked for."""
    try:
        handle = open(path, "rb")
        if os.path.getsize(path) == 0:
            raise CheckpointError("the file is empty")
        if zipfile.is_zipfile(handle):
            return _read_zip(path, handle)
        if handle.seek(0) == 0 and handle.read(2) == b"PK":
            raise CheckpointError("the zip file is cut off")
        return _read_sequence(mmap.mmap(handle.fileno(), 0, access=mmap.ACCESS_READ))
    except CheckpointError as e:
        raise CheckpointError(f"{path}: {e}") from e
    except (zipfile.BadZipFile, ValueError, IndexError, KeyError, TypeError, AttributeError, EOFError, OSError,
            RuntimeError, struct.error, MemoryError, NotImplementedError) as e:
        raise CheckpointError(f"{path}: cannot be read as a checkpoint of PyTorch: {e}") from e
