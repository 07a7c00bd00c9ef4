"""The documentation: commands in `sh` blocks and Python examples run, as they stand, in the order of their page.

The files that a page names are there.
"""

from __future__ import annotations

import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
import warm_commands

ROOT = Path(__file__).resolve().parents[2]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
BLOCK = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
SHOWN_ONLY = {"text", "toml"}
"""What no test runs: installations, long trainings, sketches, files."""
NAMED = re.compile(r"`((?:tests|docs|examples|benchmarks|findings)/[\w./-]+\.(?:py|md|toml|ipynb|sh))\b")


def blocks(page: Path) -> list[tuple[str, str]]:
    """Language and content of each fenced block."""
    return BLOCK.findall(page.read_text(encoding="utf-8"))


def runnable(page: Path) -> list[tuple[str, str]]:
    return [(language, content) for language, content in blocks(page) if language in {"sh", "python"}]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_a_fenced_block_says_whether_it_runs(page: Path) -> None:
    for language, content in blocks(page):
        assert language in SHOWN_ONLY | {"sh", "python"}, content


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_the_files_that_a_page_names_are_there(page: Path) -> None:
    assert [name for name in NAMED.findall(page.read_text(encoding="utf-8")) if not (ROOT / name).exists()] == []


@pytest.fixture(scope="module")
def environment() -> Iterator[dict[str, str]]:
    """In which commands start fast."""
    with warm_commands.on_path() as made:
        yield made


@pytest.mark.slow
@pytest.mark.parametrize(
    "page", [page for page in PAGES if runnable(page)], ids=lambda page: str(page.relative_to(ROOT))
)
def test_the_commands_of_a_page_run_one_after_the_other(
    page: Path, environment: dict[str, str], tmp_path: Path
) -> None:
    for shown in ("examples", "demo"):
        if (ROOT / shown).exists():
            (tmp_path / shown).symlink_to(ROOT / shown)
    for language, content in runnable(page):
        command = ["bash", "-euc", content] if language == "sh" else ["python", "-c", content]
        done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=900)
        assert done.returncode == 0, f"{page.relative_to(ROOT)}:\n{content}\n{done.stdout}\n{done.stderr}"
