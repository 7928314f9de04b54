"""Writes the tables of terraform/*/README.md: `python -m tests.terraform.module_pages` after a change of a variable.

`terraform fmt` gives every file one shape, so lines are enough to read it by.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

FOLDER = Path(__file__).parents[2] / "terraform"
MODULES = ("aws", "gcp", "azure")
_BLOCK = re.compile(r'^(?P<kind>variable|output) "(?P<name>\w+)" \{\n(?P<body>.*?)^\}', re.DOTALL | re.MULTILINE)
_FIELD = re.compile(r"^  (?P<name>description|type|default) += (?P<value>.*)$", re.MULTILINE)
_TABLE = re.compile(r"<!-- (?P<kind>variable|output)s -->\n.*?<!-- end -->", re.DOTALL)


def with_tables(module: str, text: str) -> str:
    """The page with both tables as the files are now."""
    return _TABLE.sub(
        lambda found: "\n".join([f"<!-- {found['kind']}s -->", "", *table(module, found["kind"]), "", "<!-- end -->"]),
        text,
    )


def table(module: str, kind: str) -> Iterator[str]:
    if kind == "variable":
        yield from ("| variable | type | default | |", "|---|---|---|---|")
    else:
        yield from ("| output | |", "|---|---|")
    for name, fields in blocks(module, kind):
        description = fields.get("description", "").strip('"').replace("|", "\\|")
        if kind == "variable":
            default = f"`{fields['default']}`" if "default" in fields else "**required**"
            yield f"| `{name}` | `{fields['type']}` | {default} | {description} |"
        else:
            yield f"| `{name}` | {description} |"


def blocks(module: str, kind: str) -> Iterator[tuple[str, dict[str, str]]]:
    text = (FOLDER / module / f"{kind}s.tf").read_text(encoding="utf-8")
    for found in _BLOCK.finditer(text):
        if found["kind"] == kind:
            yield found["name"], {field["name"]: field["value"] for field in _FIELD.finditer(found["body"])}


if __name__ == "__main__":
    for module in MODULES:
        page = FOLDER / module / "README.md"
        page.write_text(with_tables(module, page.read_text(encoding="utf-8")), encoding="utf-8")
