"""How objects are shown in a notebook."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from html import escape

__all__ = ["from_markdown", "table"]


def table(title: str, columns: Sequence[str], rows: Iterable[Iterable[object]]) -> str:
    """Return a table with a title.

    Examples
    --------
    >>> from ghost_spiking._html import table
    >>> table("A & B", ["name"], [["x"]])
    '<h4>A &amp; B</h4><table><tr><th>name</th></tr><tr><td>x</td></tr></table>'
    """
    lines = [_row("th", map(escape, columns))]
    lines += [_row("td", (escape(str(entry)) for entry in row)) for row in rows]
    return f"<h4>{escape(title)}</h4><table>{''.join(lines)}</table>"


def _row(kind: str, entries: Iterable[str]) -> str:
    return f"<tr>{''.join(f'<{kind}>{entry}</{kind}>' for entry in entries)}</tr>"


def from_markdown(text: str) -> str:
    r"""Return a model description in HTML; it knows what those consist of, and nothing else.

    Examples
    --------
    >>> from ghost_spiking._html import from_markdown
    >>> from_markdown("# MA\n\n| a |\n| --- |\n| `s` |")
    '<h3>MA</h3><table><tr><th>a</th></tr><tr><td><code>s</code></td></tr></table>'
    """
    found = []
    for number, part in enumerate(text.split("```")):
        if number % 2:  # code, which may have empty lines in it
            found.append(f"<pre>{escape(part.partition(chr(10))[2].rstrip())}</pre>")
        else:
            found += [_block(block.strip()) for block in part.split("\n\n") if block.strip()]
    return "".join(found)


def _block(block: str) -> str:
    if block.startswith("#"):
        marks, _, words = block.partition(" ")
        return f"<h{len(marks) + 2}>{escape(words)}</h{len(marks) + 2}>"
    if block.startswith("|"):
        head, _, *rows = map(_entries, block.splitlines())
        heading = _row("th", head) if any(head) else ""
        return f"<table>{heading}{''.join(_row('td', row) for row in rows)}</table>"
    return f"<p>{_words(block)}</p>"


def _entries(line: str) -> list[str]:
    entries = re.split(r"(?<!\\)\|", line)[1:-1]
    return [_words(entry.strip().replace("\\|", "|")) for entry in entries]


def _words(text: str) -> str:
    text = re.sub(r"`([^`]*)`", r"<code>\1</code>", escape(text, quote=False))
    return re.sub(r"\*\*(.+?)\*\*", r"<b>\1</b>", text)
