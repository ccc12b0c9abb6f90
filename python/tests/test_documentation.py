"""The examples run, and the types that are declared are those that are there."""

from __future__ import annotations

import ast
import doctest
import importlib
import inspect
import os
import pkgutil
import re
import subprocess
import sys
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import atomic_arrow as aa
import pytest

DOCS = Path(__file__).parents[2] / "docs"
# Modules and pages that need what is not installed here; their tests are in ../engines.
ENGINES = {page.stem for page in (DOCS / "engines").glob("*.md")}
MODULES = [
    module.name
    for module in pkgutil.iter_modules(aa.__path__)
    if module.name not in {"__main__"} | ENGINES
]
README = Path(__file__).parents[1] / "README.md"


@pytest.mark.parametrize("name", [name for name in MODULES if name != "_lib"])
def test_examples_in_docstrings(name: str, tmp_path: Path) -> None:
    module = importlib.import_module(f"atomic_arrow.{name}")
    finder = doctest.DocTestFinder(exclude_empty=True)
    runner = doctest.DocTestRunner(optionflags=doctest.NORMALIZE_WHITESPACE)
    for number, test in enumerate(finder.find(module, f"atomic_arrow.{name}")):
        lake = tmp_path / str(number)
        lake.mkdir()
        test.globs |= {name: getattr(aa, name) for name in aa.__all__} | {"lake": lake}
        runner.run(test)
    assert runner.summarize(verbose=False).failed == 0


def members(thing: type) -> Iterator[tuple[str, object]]:
    """The public functions, methods and properties of a class and the package's classes it is of."""
    for kind in thing.__mro__:
        if not kind.__module__.startswith("atomic_arrow"):
            continue
        for name, value in vars(kind).items():
            described = inspect.isdatadescriptor(value) and not inspect.ismemberdescriptor(value)
            if not name.startswith("_") and (described or callable(getattr(thing, name))):
                yield f"{kind.__name__}.{name}", getattr(kind, name)


def attributes(module: str) -> Iterator[tuple[str, bool]]:
    """The public attributes in the source of a module's public classes, and if each is described."""
    source = Path(aa.__file__).with_name(f"{module}.py").read_text()
    for kind in ast.walk(ast.parse(source)):
        if not isinstance(kind, ast.ClassDef) or kind.name not in aa.__all__:
            continue
        inits = [node for node in kind.body if getattr(node, "name", "") == "__init__"]
        for body in [
            kind.body,
            *[init.body for init in inits if isinstance(init, ast.FunctionDef)],
        ]:
            for node, after in pairwise([*body, ast.Pass()]):
                described = isinstance(after, ast.Expr) and isinstance(after.value, ast.Constant)
                for name in targets(node, "self" if body is not kind.body else None):
                    yield f"{kind.name}.{name}", described


def targets(node: ast.stmt, of: str | None) -> Iterator[str]:
    """The public names that a statement assigns to, or the attributes of one name."""
    assigned = [node.target] if isinstance(node, ast.AnnAssign) else getattr(node, "targets", [])
    for target in assigned:
        text = ast.unparse(target)
        owner, _, name = text.rpartition(".")
        if owner == (of or "") and name.isidentifier() and not name.startswith("_"):
            yield name


def test_every_public_thing_is_documented() -> None:
    for name in aa.__all__:
        thing = getattr(aa, name)
        if isinstance(thing, str):
            continue
        assert thing.__doc__, name
        assert thing.__module__.startswith("atomic_arrow"), name
        if isinstance(thing, type):
            for member, value in members(thing):
                assert value.__doc__, member
    found = [found for module in MODULES if module != "_lib" for found in attributes(module)]
    assert [name for name, described in found if not described] == []
    assert {"Outcome.UNKNOWN", "WriteOptions.mode", "SortBy.column", "DatasetWriter.root"} <= {
        name for name, _ in found
    }
    named = {name for kind in (aa.AtomicTextFile, aa.Receipt) for name, _ in members(kind)}
    assert {"AtomicTextFile.commit", "_Atomic.published", "Receipt.rows"} <= named


def blocks(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", README.read_text(), re.MULTILINE | re.DOTALL)


def test_the_readme_begins_with_how_to_install() -> None:
    assert blocks("sh")[0] == "pip install ./python\n"


def test_the_readme_runs_as_printed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "testdata").symlink_to(README.parents[1] / "testdata")
    scope: dict[str, object] = {"__name__": "readme"}
    for block in blocks("python"):
        exec(compile(block, str(README), "exec"), scope)
    assert (tmp_path / "lake").is_dir()


# Names that the blocks of a page take for given, and pages of which some blocks need what is not installed here.
GIVEN = {
    "recipes/one-file.md": "import os, pandas as pd, polars as pl\n"
    "df = pd.DataFrame({'day': ['2013-01-01'], 'trips': [842]})\nnew = pl.DataFrame(df)",
    "encryption.md": "import atomic_arrow as aa, pandas as pd\n"
    "df = pd.DataFrame({'id': [1], 'note': ['x']})\nkey = note_key = b'0123456789abcdef'",
}
PAGES = [
    page.relative_to(DOCS).as_posix()
    for page in sorted(DOCS.rglob("*.md"))
    if "\n```python\n" in page.read_text()
]
# Those of engines, tables and object stores run in the tests of these.
OF_ENGINES = {page for page in PAGES if page.startswith("engines/")}
NOT_RUN = {"object-stores.md", "recipes/airflow.md", "tables.md", *OF_ENGINES}


@pytest.mark.parametrize("page", [page for page in PAGES if page not in NOT_RUN])
def test_the_pages_run_as_printed(page: str, tmp_path: Path) -> None:
    (tmp_path / "testdata").symlink_to(README.parents[1] / "testdata")
    # A process of its own, from a file: some pages start others.
    script = tmp_path / "page.py"
    printed = re.findall(
        r"^```python\n(.*?)^```", (DOCS / page).read_text(), re.MULTILINE | re.DOTALL
    )
    script.write_text("\n".join([GIVEN.get(page, ""), *printed]))
    done = subprocess.run([sys.executable, script], capture_output=True, text=True, cwd=tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr


def test_every_page_with_a_job_is_looked_at() -> None:
    assert len(PAGES) > 8
    assert NOT_RUN < set(PAGES)
    assert set(GIVEN) < set(PAGES)


def run(directory: Path, *command: str) -> None:
    # The package's own directory would not do: modules for engines have the names of these there.
    done = subprocess.run(command, capture_output=True, text=True, cwd=directory)
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_native_module_is_what_its_stub_says(tmp_path: Path) -> None:
    run(tmp_path, sys.executable, "-m", "mypy.stubtest", "atomic_arrow._lib")


def test_the_package_is_typed(tmp_path: Path) -> None:
    config = Path(__file__).parents[1] / "pyproject.toml"
    mypy = [sys.executable, "-m", "mypy", "--cache-dir", os.fspath(tmp_path)]
    run(tmp_path, *mypy, "--config-file", os.fspath(config), "-p", "atomic_arrow")


USE = """
import atomic_arrow as aa
import polars as pl

df = pl.DataFrame({"n": [1]})
receipt = aa.write_dataset(df, "lake", partition_by=["n", aa.year("t")], compression=None)
reveal_type(receipt.files[0].rows)
with aa.open("data", "wb") as file:
    file.write(b"")
aa.write_dataset(df, "lake", mode="replace")
aa.write_dataset(df, "lake", partition=["n"])
aa.open("data", "r")
"""


def test_types_find_mistakes_and_nothing_else(tmp_path: Path) -> None:
    (tmp_path / "use.py").write_text(USE)
    command = [sys.executable, "-m", "mypy", "--strict", "--cache-dir", "cache", "use.py"]
    done = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path)
    # Of a call of a function with overloads there may be two.
    lines = {line.split(": ", 1)[0] for line in done.stdout.splitlines() if ": error:" in line}
    assert lines == {f"use.py:{number}" for number in (10, 11, 12)}, done.stdout
    assert 'Revealed type is "int"' in done.stdout.replace("builtins.int", "int")
