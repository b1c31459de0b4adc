# SPDX-License-Identifier: LGPL-2.1-or-later
"""What the checks of this folder share: the tree's files, C without comments, and how a check reports.

Each check is a program: `check-NAME [ROOT]` looks at the tree at ROOT (this one by default), prints one line a
fault, `file:line: what is wrong and what to do`, and exits 1 when there is any.
"""

import os
import re
import sys
from pathlib import Path

SKIPPED = {".git", ".venv", "node_modules", "__pycache__"}
BAD = Path("tests/style/bad")

COMMENT_OR_STRING = re.compile(r"""/\*.*?\*/|//[^\n]*|"(?:\\.|[^"\\\n])*"|'(?:\\.|[^'\\\n])*'""", re.S)
STRING = re.compile(r'"(?:\\.|[^"\\\n])*"')


class Check:
    """One run of one check."""

    def __init__(self):
        self.root = Path(sys.argv[1]).resolve() if len(sys.argv) > 1 else Path(__file__).resolve().parents[2]
        self.faults = 0
        self.looked_at = 0

    def fault(self, path, line, text):
        self.faults += 1
        print(f"{path}:{line}: {text}")

    def files(self, *folders, suffixes=None):
        """The files below FOLDERS, relative to the root, sorted. The bad examples of this folder are left out."""
        for folder in folders:
            for directory, names, files in os.walk(self.root / folder):
                here = Path(directory).relative_to(self.root)
                names[:] = sorted(n for n in names if n not in SKIPPED and here / n != BAD
                                  and not (here == Path(".") and n.startswith("build")))
                for name in sorted(files):
                    path = here / name
                    if (suffixes is None or path.suffix in suffixes) and not (self.root / path).is_symlink():
                        self.looked_at += 1
                        yield path

    def read(self, path):
        return (self.root / path).read_text(encoding="utf-8", errors="replace")

    def finish(self):
        """Exit: 0 when files were looked at and none is at fault."""
        if not self.looked_at:
            print(f"no file to look at in {self.root}")
            sys.exit(1)
        sys.exit(1 if self.faults else 0)


def line_of(text, offset):
    return text.count("\n", 0, offset) + 1


def blank(text):
    """TEXT with everything but its line breaks replaced by blanks."""
    return re.sub(r"[^\n]", " ", text)


def without_comments(text):
    """C without comments; offsets and lines stay."""
    return COMMENT_OR_STRING.sub(lambda m: blank(m[0]) if m[0].startswith("/") else m[0], text)


def without_strings(text):
    """C without comments and without what string literals hold."""
    return COMMENT_OR_STRING.sub(lambda m: blank(m[0]), text)


def arguments_at(text, offset):
    """The arguments of the call whose opening parenthesis is at OFFSET of TEXT, which has no comments."""
    depth, start, found = 0, offset + 1, []
    i = offset
    while i < len(text):
        literal = COMMENT_OR_STRING.match(text, i)
        if literal:
            i = literal.end()
            continue
        c = text[i]
        if c in "([{":
            depth += 1
        elif c in ")]}":
            depth -= 1
        if (c == "," and depth == 1) or depth == 0:
            found.append(text[start:i].strip())
            start = i + 1
        if depth == 0:
            return found
        i += 1
    return found


def literal(argument):
    """The text of one or more adjacent string literals, or None for any other expression."""
    if not argument or STRING.sub("", argument).strip():
        return None
    return "".join(s[1:-1] for s in STRING.findall(argument))
