"""Which tests run for every change, and what the pages of the documentation have for them."""

from __future__ import annotations

import os
import re
from pathlib import Path

import pytest

WHOLE = os.environ.get("ATOMIC_ARROW_WHOLE") == "1"

whole = pytest.mark.skipif(not WHOLE, reason="takes long; ATOMIC_ARROW_WHOLE=1 runs it")
"""Marks a test that is not run for every change."""

DOCS = Path(__file__).parents[2] / "docs"


def printed(page: str, section: str | None = None) -> list[str]:
    """The blocks of Python on a page of the documentation, or in one section of it."""
    text = (DOCS / page).read_text()
    if section is not None:
        text = text.split(f"\n## {section}\n", 1)[1].split("\n## ", 1)[0]
    blocks = re.findall(r"^```python\n(.*?)^```", text, re.MULTILINE | re.DOTALL)
    assert blocks, page
    return blocks
