"""Files with something wrong, for tests/fuzz.py: bytes changed anywhere, or a file taken apart and
put together again with something else in it.

All take a random generator, a file's content and that of another file, and return the content of a
damaged one.
"""

import contextlib
import functools
import io
import json
import pickle
import pickletools
import struct
import warnings
import zipfile
import zlib
from collections.abc import Callable
from random import Random
from typing import Any

from dnnlib.containers import torch_file
from dnnlib.families import recognise

COMMAND = "touch canary"  # what hostile files try to run
NUMBERS = (
    0,
    1,
    2,
    127,
    128,
    255,
    256,
    1 << 15,
    1 << 16,
    1 << 20,
    (1 << 31) - 1,
    1 << 31,
    (1 << 32) - 1,
    1 << 33,
    1 << 60,
    (1 << 63) - 1,
    1 << 63,
    (1 << 64) - 1,
)


def damaged(r: Random, content: bytes, other: bytes) -> bytes:
    """One or two things wrong, in the way of the file's format or in any way."""
    for _ in range(r.choice([1, 1, 1, 2])):
        way = next((way for start, way in WAYS if content.startswith(start)), change_bytes)
        try:
            content = (way if r.random() < 0.7 else change_bytes)(r, content, other) or b"\0"
        except Exception:  # after the first time, it may be none of its format any more
            content = change_bytes(r, content, other) or b"\0"
    return content


def number(r: Random, width: int, order: str = "little") -> bytes:
    """A number that is the least, the largest, or absurd, in so many bytes."""
    return (r.choice(NUMBERS) % (1 << 8 * width)).to_bytes(width, order)


def change_bytes(r: Random, content: bytes, other: bytes) -> bytes:
    """Cut, flipped, overwritten, spliced, left out or repeated, wherever it is: often near the
    ends, as headers are."""
    data = bytearray(content)
    place = r.randrange(len(data) + 1)
    if r.random() < 0.5:
        near = min(int(r.expovariate(1 / 200)), len(data))
        place = near if r.random() < 0.7 else len(data) - near
    length = min(int(r.expovariate(1 / 20)) + 1, len(data) - place)
    start = r.randrange(max(len(other) - length, 0) + 1)
    width = r.choice([1, 2, 4, 8])
    match r.randrange(9):
        case 0:
            del data[place:]
        case 1:
            for _ in range(r.randrange(1, 8)):
                here = (place + r.randrange(64)) % max(len(data), 1)
                data[here : here + 1] = bytes(
                    byte ^ 1 << r.randrange(8) for byte in data[here : here + 1]
                )
        case 2:
            data[place : place + length] = r.randbytes(1) * length
        case 3:
            data[place : place + length] = other[start : start + length]
        case 4:
            data[place:] = other[r.randrange(len(other) + 1) :]
        case 5:
            del data[place : place + length]
        case 6:
            data[place:place] = (
                data[place : place + length] * r.choices([1, 2, 100, 3000], [6, 6, 3, 1])[0]
            )
        case 7:
            data[place:place] = r.randbytes(length)
        case 8:
            data[place : place + width] = number(r, width, r.choice(["little", "big"]))
    return bytes(data)


# Pickles ------------------------------------------------------------------------------------------

CODES = {code.name: code.code.encode("latin1") for code in pickletools.opcodes}
OPERANDS = {code.name: code.arg and code.arg.name for code in pickletools.opcodes}
ALLOWED = [*recognise.ALLOWED, ("torch", "FloatStorage")]
FOREIGN = [
    ("os", "system"),
    ("posix", "system"),
    ("builtins", "eval"),
    ("builtins", "exec"),
    ("builtins", "getattr"),
    ("builtins", "print"),
    ("__builtin__", "eval"),
    ("subprocess", "Popen"),
    ("subprocess", "check_output"),
    ("numpy.core.multiarray", "fromstring"),
    ("numpy.core.multiarray", "fromfile"),
    ("numpy", "load"),
    ("numpy", "core.multiarray._reconstruct"),
    ("numpy", "dtype.__subclasses__"),
    ("collections", "namedtuple"),
    ("collections", "OrderedDict.update"),
    ("collections", "_sys.modules"),
    ("torch", "load"),
    ("_codecs", "decode"),
    ("torch._utils", "_rebuild_tensor"),
    ("argparse", "FileType"),
    ("argparse", "_os.system"),
    ("operator", "call"),
    ("dnnlib.util", "open_url"),
    ("dnnlib.containers.safe_pickle", "pickle.loads"),
    ("builtins", "set.__class__"),
    ("torch_utils.persistence", "_src_to_module"),
    ("functools", "partial"),
    ("", ""),
]


@functools.lru_cache(50)
def opcodes(content: bytes) -> list[tuple[int, str]]:
    """Where each opcode of consecutive pickles begins, and its name."""
    file, found = io.BytesIO(content), []
    with contextlib.suppress(ValueError):  # the end of the pickles
        while True:
            found += [(place, opcode.name) for opcode, _, place in pickletools.genops(file)]
    return found


def some_value(r: Random) -> bytes:
    """Opcodes that push a value."""
    return r.choice(
        [
            whole(r.choice(NUMBERS)),
            whole(-r.choice(NUMBERS)),
            whole(1 << 100),
            b"N",
            b"\x88",
            b"G" + r.randbytes(8),
            b"G\x7f\xf0" + bytes(6),
            text("lrelu"),
        ]
    )


def some_name(r: Random) -> bytes:
    """Opcodes that push a text that is a name, or what has a name."""
    return r.choice(
        [text(r.choice(r.choice([ALLOWED, FOREIGN]))[1]), named(r, FOREIGN), named(r, ALLOWED)]
    )


def change_pickle(r: Random, content: bytes, other: bytes) -> bytes:
    """An opcode replaced, changed, left out, doubled or moved; or a bomb before it, or in place of
    all."""
    found = opcodes(content)
    i = r.randrange(len(found) - 1)
    (place, name), end = found[i], found[i + 1][0]
    here = content[place:end]
    width = r.choice([1, 2, 4, 8])
    match r.randrange(10):
        case 0:
            here = (
                r.choice([CODES[code] for code in CODES if OPERANDS[code] == OPERANDS[name]])
                + here[1:]
            )
        case 1:
            here = b""
        case 2:
            here *= r.choice([2, 3, 1000])
        case 3:
            here = r.choice(list(CODES.values()))
        case 4:
            here = here[:1] + number(r, width) + here[1 + width :]
        case 5:
            here = some_value(r)
        case 6:
            here = some_name(r)
        case 7:
            j = r.randrange(len(found) - 1)
            here = content[found[j][0] : found[j + 1][0]] + here
        case 8:
            return r.choice([b"\x80\x04", b"\x80\x02", b""]) + bomb(r) + b"."
        case 9:
            here = bomb(r) + r.choice([b"0", b"", here])
    return content[:place] + here + content[end:]


def text(value: str) -> bytes:
    return b"X" + struct.pack("<I", len(value.encode())) + value.encode()


def whole(value: int) -> bytes:
    return pickle.dumps(value, 2)[2:-1]


def wholes(r: Random, most: int) -> bytes:
    """A tuple of numbers that may be a shape."""
    return b"(" + b"".join(whole(r.choice([*NUMBERS, -1])) for _ in range(r.randrange(most))) + b"t"


def named(r: Random, names: list[tuple[str, str]]) -> bytes:
    """One of these objects, by its name in a module."""
    module, name = r.choice(names)
    if r.random() < 0.5:
        return f"c{module}\n{name}\n".encode()
    return text(module) + text(name) + CODES["STACK_GLOBAL"]


def bomb(r: Random) -> bytes:
    """Opcodes that push one object, or more, that is large, deep, endless, foreign or forged."""
    (n,) = r.choices([3, 40, 2000, 50_000, 400_000], [30, 30, 30, 6, 4])
    return r.choice(BOMBS)(r, n)


def many(r: Random, n: int) -> bytes:
    return n * r.choice(
        [
            b"}",
            b"]",
            b"\x8f",
            b"(",
            b")",
            b"2",
            b"\x94",
            b"N2",
            b"K\x01",
            b"C\x01a",
            b"G" + b"?" * 8,
        ]
    )


def deep(r: Random, n: int) -> bytes:
    """Tuples in tuples, which a hash descends into, perhaps twice each; or lists in themselves."""
    return r.choice(
        [b"N" + b"\x85" * n, b")" + b"2\x86" * min(n, 2000), b"(" * n + b"t" * n, b"]2a", b"(" * n]
    )


def deep_key(r: Random, n: int) -> bytes:
    key = deep(r, n)
    return (
        r.choice(
            [
                b"}%bNs",
                b"}(%bNu",
                b"(%bNd",
                b"\x8f(%b\x90",
                b"(%b\x91",
                b"cbuiltins\nset\n](%be\x85R",
            ]
        )
        % key
    )


def deep_anything(r: Random, n: int) -> bytes:
    return deep(r, n) + r.choice(
        [b"Q", b"R", b"b", b"a", b"\x81", b"0", b"1", b"\x98", b"\x82\x01"]
    )


def endless_text(r: Random, n: int) -> bytes:
    """Lists in lists, twice each: never shown, nor compared, in full."""
    return (
        b"]q\0"
        + b"".join(b"](h%ch%ceq%c" % (i, i, i + 1) for i in range(min(n, 60)))
        + r.choice([b"", b"Q"])
    )


def memo(r: Random, n: int) -> bytes:
    return b"N" + r.choice([b"r", b"j"]) + number(r, 4)


def announced(r: Random, n: int) -> bytes:
    """LONG4, BINBYTES and BINUNICODE; FRAME, BINUNICODE8, BINBYTES8 and BYTEARRAY8: of which
    nothing follows."""
    return r.choice(
        [
            r.choice([b"\x8b", b"B", b"X"]) + number(r, 4),
            r.choice([b"\x95", b"\x8d", b"\x8e", b"\x96"]) + number(r, 8),
        ]
    )


def colliding_keys(r: Random, n: int) -> bytes:
    """Numbers of the same hash, or of a hash that ends in the same bits, as keys of a dict or
    members of a set."""
    step = r.choice([(1 << 61) - 1, 1 << 40, 1 << 20, 1])
    before, after, end = r.choice(
        [
            (b"}(", b"N", b"u"),
            (b"}", b"Ns", b""),
            (b"\x8f(", b"", b"\x90"),
            (b"cbuiltins\nset\n](", b"", b"e\x85R"),
        ]
    )
    return before + b"".join(whole(i * step) + after for i in range(min(n, 30_000))) + end


def digits(r: Random, n: int) -> bytes:
    """The opcodes of protocol 0, whose numbers and names are lines of text."""
    line = b"9" * r.choice([5, 4000, 5000, 100_000])
    return (
        r.choice(
            [b"I%b\n", b"L%bL\n", b"Np%b\n", b"g%b\n", b"P%b\n", b"F%b\n", b"S'%b'\n", b"V%b\n"]
        )
        % line
    )


def foreign_call(r: Random, n: int) -> bytes:
    """What is not allowed, called in every way that there is."""
    function = named(r, FOREIGN)
    argument = r.choice([text(COMMAND), text(f"__import__('os').system('{COMMAND}')")])
    inst = "(S'{}'\ni{}\n{}\n".format(COMMAND, *r.choice(FOREIGN)).encode()
    return r.choice(
        [
            function + argument + b"\x85R",
            function + b")R",
            function + b")\x81",
            function + b")}\x92",
            b"(" + function + argument + b"o",
            inst,
        ]
    )


def allowed_calls(r: Random, n: int) -> bytes:
    """What is allowed, called with the same large arguments over and over."""
    n = min(n, 50_000)
    large = r.choice(
        [
            b"](" + b"K\x01" * n + b"e",
            b"](" + b"K\x01K\x02\x86" * n + b"e",
            text("a" * n),
            b"}",
            b"C\x08" + bytes(8),
            b"(" + b"K\x02" * n + b"t",
        ]
    )
    more = r.choice([b"", text("latin1"), b"K\x00", large, large * 2])
    calls = r.choices([1, 3, 20_000], [4, 4, 1])[0]
    return named(r, ALLOWED) + b"q\xf0(" + large + more + b"tq\xf1" + b"h\xf0h\xf1R0" * calls


def changed_object(r: Random, n: int) -> bytes:
    """Attributes given to an object, or to what it is made by."""
    name = text(
        r.choice(["__class__", "values", "__dict__", "state", "shape", "__init__", "items", "data"])
    )
    value = r.choice([b"N", b"K\x05", named(r, ALLOWED)])
    state = r.choice(
        [b"}" + name + value + b"s", b"N}" + name + value + b"s\x86", deep(r, n), b")"]
    )
    return named(r, ALLOWED) + r.choice([b"", b")\x81", b")R"]) + state + b"b"


def changed_function(r: Random, n: int) -> bytes:
    """The state of a functools.partial that calls itself, or something large, given to a function;
    which is called."""
    arguments = r.choice([b")", b"h\xf0\x85", b"(" + b"N" * n + b"t", wholes(r, 4)])
    function = r.choice([b"h\xf0", named(r, ALLOWED)])
    return (
        named(r, ALLOWED)
        + b"q\xf0("
        + function
        + arguments
        + b"}"
        + r.choice([b"}", b"N"])
        + b"tb"
        + r.choice([b")R", b"](e\x85R"])
    )


def expression(r: Random, n: int, levels: int = 4) -> bytes:
    """An object made of other objects, in any of the ways that there are."""

    def part() -> bytes:
        return expression(r, n, levels - 1)

    def parts(most: int) -> bytes:
        return b"".join(part() for _ in range(r.randrange(most)))

    if levels == 4:
        return b"".join(b"Nq%c0" % slot for slot in range(8)) + part()
    match r.randrange(11) if levels else 0:
        case 0:
            made = r.choice(
                [
                    b"N",
                    b"\x88",
                    b")",
                    b"}",
                    b"]",
                    b"\x8f",
                    b"C\x04abcd",
                    b"h%c" % r.randrange(8),
                    whole(r.choice(NUMBERS)),
                    text(r.choice(["f4", "storage", "latin1", "values", "type"])),
                ]
            )
        case 1:
            made = named(r, ALLOWED)
        case 2 | 3:
            made = b"(" + parts(6) + b"t"
        case 4:
            made = r.choice([b"](%be", b"\x8f(%b\x90"]) % parts(5)
        case 5:
            made = b"}" + r.choice([text("a"), part()]) + part() + b"s"
        case 6 | 7:
            made = named(r, ALLOWED) + b"(" + parts(5) + b"tR"
        case 8:
            made = part() + part() + b"R"
        case 9:
            made = part() + part() + b"b"
        case 10:
            made = part() + r.choice([b")\x81", b"Q", b"\x85"])
    return made + (b"q%c" % r.randrange(8) if r.random() < 0.3 else b"")


def forged_array(r: Random, n: int) -> bytes:
    code = text(r.choice(["f4", "f8", "O8", "V8", "U4", "i1", "f4,f4", "a" * 300]))
    shape = r.choice(
        [
            wholes(r, 5),
            b"(" + whole(1 << 30) + text("ab") + b"t",
            b"(" + b"K\x02" * n + b"t",
            deep(r, n),
        ]
    )
    return (
        b"cnumpy.core.multiarray\n_reconstruct\n(cnumpy\nndarray\nK\0\x85C\x01btR"
        b"(K\x01" + shape + b"cnumpy\ndtype\n" + code + b"\x85R\x89C\x08" + bytes(8) + b"tb"
    )


def forged_tensor(r: Random, n: int) -> bytes:
    count, offset = (whole(r.choice(NUMBERS)) for _ in range(2))
    storage = (
        b"(" + text("storage") + b"ctorch\nFloatStorage\n" + text("0") + text("cpu") + count + b"tQ"
    )
    return (
        b"ctorch._utils\n_rebuild_tensor_v2\n("
        + storage
        + offset
        + wholes(r, 4)
        + wholes(r, 4)
        + b"\x89}tR"
    )


def pickles_in_pickles(r: Random, n: int) -> bytes:
    inner = r.choice(
        [torch_file._STREAM_START * 3, pickle.dumps([0] * 99), bytes(200), bomb(r)[:60_000] + b"."]
    )
    calls = r.choices([1, 3000], [4, 1])[0]
    return (
        b"B"
        + struct.pack("<I", len(inner))
        + inner
        + b"\x85q\xf0ctorch.storage\n_load_from_bytes\nq\xf1"
        + b"h\xf1h\xf0R0" * calls
    )


def wide_text(r: Random, n: int) -> bytes:
    """One character makes all others take four bytes."""
    return text("a" * n + "\U0001f600")


BOMBS: list[Callable[[Random, int], bytes]] = [
    many,
    deep,
    deep_key,
    deep_anything,
    endless_text,
    memo,
    announced,
    colliding_keys,
    digits,
    foreign_call,
    allowed_calls,
    changed_object,
    changed_function,
    expression,
    expression,
    forged_array,
    forged_tensor,
    pickles_in_pickles,
    wide_text,
]


# Other formats ------------------------------------------------------------------------------------


def change_zip(r: Random, content: bytes, other: bytes) -> bytes:
    """A number of the directory changed; or a member that is damaged, decompresses without end, or
    has another name."""
    kind = r.choices(["number", "member", "pickle or array", "bomb", "name"], [3, 2, 3, 1, 1])[0]
    if kind == "number":
        place = r.choice(places(content, b"PK\1\2", b"PK\5\6", b"PK\3\4")) + r.randrange(4, 46)
        width = r.choice([2, 4])
        return content[:place] + number(r, width) + content[place + width :]
    with warnings.catch_warnings(), zipfile.ZipFile(io.BytesIO(content)) as archive:
        warnings.simplefilter("ignore")  # of members of one name
        members = [(entry.filename, archive.read(entry)) for entry in archive.infolist()]
        chosen = r.randrange(len(members))
        if kind == "pickle or array":
            chosen = next(
                i for i, (name, _) in enumerate(members) if name.endswith((".pkl", ".npy"))
            )
        file = io.BytesIO()
        with zipfile.ZipFile(file, "w") as archive:
            for i, (name, data) in enumerate(members):
                method = zipfile.ZIP_STORED
                if i == chosen and kind == "bomb":
                    data, method = (
                        data[:128] + bytes(r.choice([1000, 100_000_000])),
                        zipfile.ZIP_DEFLATED,
                    )
                elif i == chosen and kind == "name":
                    name = r.choice(
                        [name + "x", "../" + name, members[0][0], "a/data.pkl", "w.npy", ""]
                    )
                elif i == chosen:
                    way = {".npy": change_npy, ".pkl": change_pickle}.get(name[-4:], change_bytes)
                    data = way(r, data, other)
                archive.writestr(name, data, method, 1)
    made = file.getvalue()
    if kind == "bomb" and r.random() < 0.5:  # its size is not true
        place = places(made, b"PK\1\2")[chosen] + 24
        made = made[:place] + struct.pack("<I", r.choice([100, 1000, 1 << 31])) + made[place + 4 :]
    return made


def places(content: bytes, *marks: bytes) -> list[int]:
    found = []
    for mark in marks:
        place = content.find(mark)
        while place >= 0:
            found.append(place)
            place = content.find(mark, place + 1)
    return found


NUMPY_TYPES = [
    "'<f4'",
    "'<f8'",
    "'>f4'",
    "'|u1'",
    "'|b1'",
    "'<i8'",
    "'|O'",
    "'<U9'",
    "'<U0'",
    "'|V0'",
    "'|S0'",
    "'<f2'",
    "'<c8'",
    "'<f16'",
    "'<M8[s]'",
    "[('a', '<f4'), ('b', '|O')]",
    "[('a', '<f4', (4,))]",
    "'f4,f4'",
    "''",
    "'eval'",
    "'<U1000000000'",
    "[]",
    "{'names': ['a'], 'formats': ['f4']}",
    "__import__('os')",
    "'|V2147483648'",
]


def change_npy(r: Random, content: bytes, other: bytes) -> bytes:
    """Another header before the same numbers; or what is pickled in their place, changed."""
    start = content.index(b"\n") + 1
    if b"'|O'" in content[:start] and r.random() < 0.8:
        return content[:start] + change_pickle(r, content[start:], other)
    sizes = [*NUMBERS, -1, -5, 3, "True", "1.0", "2L", "'3'", "(1,)"]
    shape = "".join(f"{r.choice(sizes)}, " for _ in range(r.choice([0, 1, 2, 3, 5, 70])))
    shape = r.choice(["(12, 16)", "(2, 3, 4, 1, 5)", "(6, 24)", "()", f"({shape})"])
    descr = r.choice(NUMPY_TYPES)
    order = r.choice(["False", "True", "0", "None", "'no'"])
    header = f"{{'descr': {descr}, 'fortran_order': {order}, 'shape': {shape}, }}"
    header = r.choice(
        [
            header,
            header,
            header,
            "-" * 9000 + "1",
            "[" * 9000,
            header + " " * 70_000,
            "(" * 90,
            header[:-3],
            header.replace("shape", "shop"),
            f"__import__('os').system('{COMMAND}')",
        ]
    )
    version = r.choice([b"\1\0", b"\1\0", b"\2\0", b"\3\0", b"\1\1", b"\xff\xff"])
    width = 2 if version[0] == 1 else 4
    length = (len(header) + 1) % (1 << 8 * width)
    return (
        b"\x93NUMPY"
        + version
        + length.to_bytes(width, "little")
        + header.encode()
        + b"\n"
        + content[start:]
    )


PNG_CHUNKS = b"zTXt iCCP iTXt tRNS PLTE acTL fcTL fdAT gAMA eXIf pHYs sBIT".split()


def change_png(r: Random, content: bytes, other: bytes) -> bytes:
    """Chunks changed, left out, doubled or new, with the right checksums."""
    chunks, place = [], 8
    while place < len(content):
        length = int.from_bytes(content[place : place + 4], "big")
        chunks.append((content[place + 4 : place + 8], content[place + 8 : place + 8 + length]))
        place += 12 + length
    i = r.randrange(len(chunks))
    name, data = chunks[i]
    header = chunks[0][1]
    match r.randrange(6):
        case 0:
            size = r.choice([number(r, 4, "big") + number(r, 4, "big"), header[:8]])
            chunks[0] = (
                b"IHDR",
                size + bytes(r.choice([0, 1, 2, 3, 4, 6, 8, 16, 99]) for _ in range(5)),
            )
        case 1:
            chunks[i] = name, change_bytes(r, data, other)
        case 2:
            del chunks[i]
        case 3:
            chunks.insert(i, chunks[r.randrange(len(chunks))])
        case 4:
            new = r.choice(PNG_CHUNKS)
            large = zlib.compress(bytes(r.choice([10, 30_000_000])), 1)
            data = r.choice(
                [b"a\0\0" + large, b"a\0\1\0\0\0" + large, r.randbytes(26), bytes(768), b""]
            )
            chunks.insert(i, (new, data))
        case 5:  # pixels without end
            size = r.choice([4096, 4097, 10_000, 20_000, 1 << 16])
            chunks[0] = b"IHDR", struct.pack(">II", size, size) + header[8:]
            chunks[-2] = b"IDAT", zlib.compress(bytes(r.choice([0, 50, 20_000_000])), 1)
    return content[:8] + b"".join(
        struct.pack(">I", len(data)) + name + data + struct.pack(">I", crc)
        for name, data in chunks
        for crc in [zlib.crc32(name + data)]
    )


def change_facts(r: Random, content: bytes, other: bytes) -> bytes:
    """Another value in a JSON object, or one deep within others."""
    facts: dict[str, Any] = json.loads(content)
    target = r.choice([facts] * 3 + [value for value in facts.values() if isinstance(value, dict)])
    target[r.choice([*target, "region", "mask", "box", "labels", "parser", "invert", "other"])] = (
        r.choice(
            [
                None,
                True,
                -1,
                0,
                1e308,
                10**30,
                float("nan"),
                "",
                "x" * 5000,
                "\0",
                "\ud800",
                "../..",
                [],
                {},
                [1],
                [[]],
                {"a": 1},
                [None] * 9,
                {"region": 1},
                {"box": [1, 2]},
                {"box": "abcd"},
                {"labels": [[1]]},
                "eyes",
                "a/b",
                "bisenet",
                "celebamask",
                ["hair"],
                ["#ff0000", 4],
                [*range(3000)],
            ]
        )
    )
    (levels,) = r.choices([0, 50, 900, 5000, 100_000], [20, 1, 1, 1, 1])
    return (
        r.choice([b"[", b'{"a":']) * levels
        + json.dumps(facts).encode()
        + r.choice([b"", b"]"]) * levels
    )


WAYS = [
    (b"PK\3\4", change_zip),
    (b"\x80", change_pickle),
    (b"\x93NUMPY", change_npy),
    (b"\x89PNG", change_png),
    (b"{", change_facts),
]
