r"""Texts from files, made safe to print: no character that moves the cursor, ends a line or changes text direction.

Such a character is written as in JSON (\u001b), so that it can be seen, and a JSON text keeps its value.
"""

import json
import re
import unicodedata

HIDDEN = frozenset({"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"})  # Unicode's categories of characters that cannot be seen


def printable(text: str, *, lines: bool = False) -> str:
    """The text with every invisible character spelled out.

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
