r"""Texts out of files as they are shown: no character that moves a cursor, ends a line or turns the reading direction.

Such a character is written as JSON writes it (\u001b), so that it can be seen, and a JSON text stays the same value.
"""

import json
import re
import unicodedata

HIDDEN = frozenset({"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"})  # Unicode's categories of what has no look of its own


def printable(text: str, *, lines: bool = False) -> str:
    """The text with all that cannot be seen spelled out.

    Args:
        text: from anywhere.
        lines: line ends are our own, and stay.
    """
    if text.isprintable():
        return text
    return re.sub(r"[^ -~]", lambda found: _shown(found[0], lines), text)


def _shown(character: str, lines: bool) -> str:
    if (lines and character == "\n") or unicodedata.category(character) not in HIDDEN:
        return character
    return json.dumps(character)[1:-1]
