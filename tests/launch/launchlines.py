# SPDX-License-Identifier: LGPL-2.1-or-later
"""Finds the launch lines that the documentation prints."""

import re
from pathlib import Path

FENCE = re.compile(r"^```(?:sh|shell|bash|console)\n(?P<body>.*?)^```$", re.M | re.S)
SECTION = re.compile(r"/\*\*\s*\n \* SECTION:.*?\*/", re.S)
EXAMPLE = re.compile(r"\|\[(?:<!--.*?-->)?(?P<body>.*?)\]\|", re.S)


class Block:
    """What stands together in the documentation, and is run together: commands, in their order."""

    def __init__(self, path, line, commands):
        self.path, self.line, self.commands = path, line, commands

    @property
    def name(self):
        return f"{self.path}:{self.line}"


def commands_in(text):
    """The gst-launch-1.0 commands of a block, as a shell reads them; comments and continuations gone."""
    text = re.sub(r"\\\n", " ", text)
    lines = [line.strip().removeprefix("$ ") for line in text.splitlines()]
    return [re.sub(r"\s+", " ", line) for line in lines if re.search(r"(^|\s)gst-launch-1\.0\s", line)
            and not line.startswith("#")]


def from_markdown(path, text):
    for found in FENCE.finditer(text):
        commands = commands_in(found["body"])
        if commands:
            yield Block(path, text.count("\n", 0, found.start()) + 1, commands)


def from_c(path, text):
    for section in SECTION.finditer(text):
        for found in EXAMPLE.finditer(section[0]):
            body = "\n".join(re.sub(r"^ \* ?", "", line) for line in found["body"].splitlines())
            commands = commands_in(body)
            if commands:
                yield Block(path, text.count("\n", 0, section.start() + found.start()) + 1, commands)


def all_blocks(root):
    """Every block with launch lines in the README and in the elements' documentation below ROOT."""
    root = Path(root)
    yield from from_markdown("README.md", (root / "README.md").read_text(encoding="utf-8"))
    for folder in ("gst", "ext"):
        for path in sorted((root / folder).rglob("*.c")):
            yield from from_c(str(path.relative_to(root)), path.read_text(encoding="utf-8"))
