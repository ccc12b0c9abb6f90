"""What a notebook shows of receipts and reports, as a browser lays it out."""

from __future__ import annotations

import html
import json
import os
import re
import shutil
import subprocess
from itertools import pairwise
from pathlib import Path
from typing import Any

import atomic_arrow as aa
import pyarrow as pa
import pytest

BROWSERS = ["chromium", "chromium-browser", "google-chrome", "chrome"]
# What a text does if a browser takes it for markup.
HOSTILE = "<img src=x onerror=hacked()>&\"'"
PAGE = """<!doctype html><meta charset=utf-8>
<style>
  body {{ margin: 0; font: 13px sans-serif; }}
  /* An output cell of JupyterLab: what is too wide scrolls within it. */
  .output {{ width: {width}px; overflow: auto; }}
  table {{ border-collapse: collapse; }} td, th {{ padding: 0.5em; text-align: right; }}
</style>
<script>let ran = 0; function hacked() {{ ran += 1; }}</script>
{outputs}
<pre id=seen></pre>
<script>
  addEventListener("load", () => setTimeout(() => {{
    const box = (element) => element.getBoundingClientRect();
    const seen = [...document.querySelectorAll(".output")].map((output) => ({{
      text: output.innerText,
      right: box(output).right,
      foreign: [...output.querySelectorAll("*")]
        .map((element) => element.tagName)
        .filter((tag) => !["P", "TABLE", "THEAD", "TBODY", "TR", "TH", "TD"].includes(tag)),
      rows: [...output.querySelectorAll("tr")].map((row) => [...row.children].map((cell) => ({{
        text: cell.innerText, left: box(cell).left, right: box(cell).right, height: box(cell).height,
      }}))),
    }}));
    document.getElementById("seen").textContent = JSON.stringify({{ ran, seen }});
  }}, 200));
</script>
"""


def browser() -> str:
    for name in BROWSERS:
        if found := shutil.which(name):
            return found
    reason = "there is no Chromium or Chrome"
    if os.environ.get("ATOMIC_ARROW_REQUIRE_ALL") == "1":
        pytest.fail(reason)
    print(f"SKIPPED: {reason}")
    pytest.skip(reason)


def rendered(shown: list[Any], directory: Path, width: int) -> list[dict[str, Any]]:
    """What a browser makes of these objects, each in an output of this width in pixels."""
    outputs = "".join(f"<div class=output>{thing._repr_html_()}</div>" for thing in shown)
    page = directory / "page.html"
    page.write_text(PAGE.format(width=width, outputs=outputs))
    command = [
        browser(),
        *["--headless", "--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-sync"],
        *["--disable-background-networking", "--disable-component-update", "--disable-quic"],
        f"--user-data-dir={directory / 'profile'}",
        *["--virtual-time-budget=5000", "--dump-dom", page.as_uri()],
    ]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120)
    found = re.search(r'<pre id="seen">(.+?)</pre>', done.stdout, re.DOTALL)
    assert found, done.stdout[-2000:] + done.stderr[-2000:]
    said = json.loads(html.unescape(found[1]))
    assert said["ran"] == 0, "a text was taken for markup"
    return said["seen"]


@pytest.fixture
def shown(tmp_path: Path) -> list[Any]:
    """One of each thing that shows itself, of a data set with a hostile value."""
    rows = pa.table({"station": [HOSTILE, "KSEA", "KSEA", "010010"], "temp": [1.5, 2.5, None, 4.5]})
    root = tmp_path / "lake"
    receipt = aa.write_dataset(rows, root, partition_by="station")
    (root / "notes<b>.txt").write_text("no data")
    dry = aa.write_dataset(rows, root, partition_by="station", dry_run=True)
    return [
        receipt,
        receipt.files,
        aa.verify(root, level="decode"),
        aa.inspect(root),
        aa.recover(root, dry_run=True),
        dry,
    ]


@pytest.mark.parametrize("width", [400, 1200])
def test_tables_are_laid_out_with_every_value_as_it_is(
    shown: list[Any], tmp_path: Path, width: int
) -> None:
    seen = rendered(shown, tmp_path, width)
    assert len(seen) == len(shown)
    for thing, output in zip(shown, seen, strict=True):
        name = type(thing).__name__
        assert output["foreign"] == [], name
        assert output["text"].strip(), name
        assert output["right"] <= width, name
        for row in output["rows"]:
            assert all(cell["height"] > 5 for cell in row), (name, row)
            # No cell lies upon the next.
            for cell, after in pairwise(row):
                assert cell["right"] <= after["left"] + 1, (name, row)
    cells = [[cell["text"] for row in output["rows"] for cell in row] for output in seen]
    # The receipt, its files and what was checked name each file, whatever is in its name.
    paths = sorted(file.path for file in shown[0].files)
    assert [sorted(text for text in table if text in paths) for table in cells[:2]] == [paths] * 2
    assert all(any(path in text for text in cells[2]) for path in paths)
    assert "notes<b>.txt" in seen[3]["text"]
    assert "4 rows in 3 files" in seen[0]["text"]


def test_a_table_of_many_rows_shows_some_and_says_how_many_more(tmp_path: Path) -> None:
    rows = pa.table({"k": list(range(300)), "n": list(range(300))})
    receipt = aa.write_dataset(rows, tmp_path / "lake", partition_by="k")
    [output] = rendered([receipt], tmp_path, 800)
    shown = len(output["rows"]) - 1
    assert 0 < shown < 300
    assert f"and {300 - shown} more" in output["text"]
