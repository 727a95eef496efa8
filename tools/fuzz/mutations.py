"""Ways to damage the bytes of a file, the characters of a text and the values of a record, by a random generator."""

import json
from collections.abc import Callable, Iterator
from random import Random
from typing import Any

import yaml

Mutation = Callable[[bytes, Random], bytes]

NUMBERS = (0, 1, 0x7F, 0x80, 0xFF, 0x7FFF, 0xFFFF, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF, 2**40, 2**63 - 1, 2**64 - 1)
"""Numbers at the ends of what programs expect."""

TOKENS = (
    '"', '""', "'", ",", ";", "\t", "|", "\r", "\n", "\n\n", "\r\n", "\0", "\ufeff", "\u2028", "\x1a", "\x7f", "é", "𝔘",
    "-", "NaN", "-inf", "1e999", "1e-999", "9" * 400, "0x10", "1_000", "1,5", "(5)", "-0", "9" * 20, "true", "null",
    "2024-02-30", "0000-00-00", "25:61:61", "=HYPERLINK(\"x\")", "&a [*a]", "*a", "<<: *a", "!!python/name:os.system",
    "!!binary x", "? [a]: b", "{", "}", "[", "]", "[" * 3000, "{a: " * 3000, ": ", "#", "%TAG", "---", "x" * 200_000,
)  # fmt: skip
"""Texts that programs stumble over."""

VALUES: tuple[Any, ...] = (
    None, True, False, 0, -1, 1, 2, 3, 255, 65_536, 2**31, 2**63, -(2**63), 10**400, 0.5, -0.0, 1e308, 1e-320,
    float("nan"), float("inf"), "", " ", "x", "\0", "é", "x" * 100_000, "1", "nan", [], [[]], [0], [None], ["x"],
    [1] * 10_000,
    {}, {"": {}}, {"class": "MADE", "arguments": {}},
)  # fmt: skip
"""Values in place of others."""


def damaged_bytes(content: bytes, random: Random) -> bytes:
    """``content`` after one to three changes of its bytes; in half of all, a single bit."""
    changed = bytearray(content)
    if random.random() < 0.5:
        _flip(changed, random)
    else:
        for _ in range(random.randint(1, 3)):
            random.choice(CHANGES)(changed, random)
    return bytes(changed)


def damaged_text(content: bytes, random: Random) -> bytes:
    """``content``, a text, after one to three changes of its characters; in a quarter of all, of its bytes."""
    if random.random() < 0.25:
        return damaged_bytes(content, random)
    text = content.decode()
    for _ in range(random.randint(1, 3)):
        text = random.choice(TEXT_CHANGES)(text, random)
    return text.encode("utf-8", "surrogatepass")


def damaged_json(content: bytes, random: Random) -> bytes:
    """``content``, in JSON, after changes of its values; in a quarter of all, of its text."""
    if random.random() < 0.25:
        return damaged_text(content, random)
    return json.dumps(_damaged_record(json.loads(content), random)).encode()


def damaged_yaml(content: bytes, random: Random) -> bytes:
    """``content``, in YAML, after changes of its values; in half of all, of its text."""
    if random.random() < 0.5:
        return damaged_text(content, random)
    return yaml.safe_dump(_damaged_record(yaml.safe_load(content), random), sort_keys=False).encode()


def _damaged_record(record: Any, random: Random) -> Any:
    for _ in range(random.randint(1, 2)):
        places = list(_places(record))
        if not places:
            break
        holder, key = random.choice(places)
        change = random.random()
        if change < 0.15:
            del holder[key]
        elif change < 0.3 and isinstance(holder, dict):
            holder[random.choice(["", "x", "class", str(key) + "x"])] = holder.pop(key)
        elif change < 0.4:
            holder[key] = [holder[key]] * 2
        else:
            holder[key] = random.choice(VALUES)
    return record


def _places(value: Any) -> Iterator[tuple[Any, Any]]:
    """The dicts and lists in ``value``, with each of their keys."""
    keys = list(value) if isinstance(value, dict) else range(len(value)) if isinstance(value, list) else ()
    for key in keys:
        yield value, key
        yield from _places(value[key])


def _place(content: bytearray, random: Random) -> int:
    """A place in ``content``; in most cases near its beginning or its end, where headers are."""
    size = max(1, len(content))
    near = random.randrange(min(256, size))
    return random.choice([near, size - 1 - near, random.randrange(size)])


def _flip(content: bytearray, random: Random) -> None:
    if content:
        content[_place(content, random)] ^= 1 << random.randrange(8)


def _number(content: bytearray, random: Random) -> None:
    width, place = random.choice([1, 2, 4, 8]), _place(content, random)
    number = random.choice(NUMBERS) % 256**width
    content[place : place + width] = number.to_bytes(width, random.choice(["little", "big"]))


def _cut(content: bytearray, random: Random) -> None:
    del content[_place(content, random) :]


def _remove(content: bytearray, random: Random) -> None:
    place = _place(content, random)
    del content[place : place + random.choice([1, 4, 100, 1000])]


def _repeat(content: bytearray, random: Random) -> None:
    place, size = _place(content, random), random.choice([1, 4, 100, 1000])
    content[place:place] = content[place : place + size] * random.choice([1, 2, 50])


def _insert(content: bytearray, random: Random) -> None:
    place = _place(content, random)
    content[place:place] = random.randbytes(random.choice([1, 2, 16, 300]))


def _append(content: bytearray, random: Random) -> None:
    content += random.choice([b"\0", b'"', b"\n", b"\xff\xfe", random.randbytes(64)])


CHANGES = (_flip, _number, _number, _cut, _remove, _repeat, _insert, _append)


def _with_token(text: str, random: Random) -> str:
    place = random.choice([random.randrange(len(text) + 1), len(text), 0])
    return text[:place] + random.choice(TOKENS) + text[place + random.choice([0, 1, 5]) :]


def _with_quote(text: str, random: Random) -> str:
    place = random.choice([random.randrange(len(text) + 1), len(text), len(text.rstrip())])
    return text[:place] + '"' + text[place:]


def _with_lines(text: str, random: Random) -> str:
    """Lines that are repeated, removed, cut or joined, or end in another way."""
    lines = text.split("\n")
    place = random.randrange(len(lines))
    change = random.randrange(6)
    if change == 0:
        lines[place:place] = [lines[place]] * random.choice([1, 2, 1000])
    elif change == 1:
        del lines[place : place + random.choice([1, 10, 1000])]
    elif change == 2:
        lines[place] = lines[place][: random.randrange(len(lines[place]) + 1)]
    elif change == 3:
        lines[place] = ""
    elif change == 4:
        random.shuffle(lines)
    return random.choice(["\n", "\n", "\r\n", "\r", ""]).join(lines) if change == 5 else "\n".join(lines)


TEXT_CHANGES = (_with_token, _with_token, _with_quote, _with_lines)
