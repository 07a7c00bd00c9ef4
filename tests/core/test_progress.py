"""Progress without a terminal: a line now and then, and none of what is soon over."""

from __future__ import annotations

import pytest

from asrc_core.command import progress


def test_lines_come_at_intervals_with_share_time_and_note(capsys: pytest.CaptureFixture[str]) -> None:
    times = iter([0.0, 1.0, 6.0, 7.0, 70.0])
    update = progress.lines("training, %", 20, lambda: next(times))
    for done in (1, 5, 6, 20):
        update(done, f"epoch {done}")
    assert capsys.readouterr().err.splitlines() == [
        "training: 25% after 0:06  epoch 5",
        "training: 100% after 1:10  epoch 20",
    ]


def test_what_is_soon_over_says_nothing_to_a_pipe(capsys: pytest.CaptureFixture[str]) -> None:
    with progress.bar("short", 2) as update:
        update(1, "")
        update(2, "")
    assert capsys.readouterr().err == ""
