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
        "training: 25% after 0:06, 0:19 left  epoch 5",
        "training: 100% after 1:10  epoch 20",
    ]


def test_what_is_left_is_told_at_the_pace_since_it_went_on(capsys: pytest.CaptureFixture[str]) -> None:
    times = iter([0.0, 10.0, 40.0])
    update = progress.lines("training", 100, lambda: next(times))
    for done in (60, 61):  # the first 60 were done before
        update(done, "")
    assert capsys.readouterr().err.splitlines() == [
        "training: 60% after 0:10",
        "training: 61% after 0:40, 19:30 left",
    ]


def test_without_a_total_only_the_time_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    times = iter([0.0, 6.0, 4000.0])
    update = progress.lines("reading", 0, lambda: next(times))
    update(1)
    update(2, "file 2")
    assert capsys.readouterr().err.splitlines() == ["reading: after 0:06", "reading: after 1:06:40  file 2"]


def test_what_lasts_for_hours_is_told_of_once_a_minute(capsys: pytest.CaptureFixture[str]) -> None:
    times = iter(range(3 * 3600 + 1))
    update = progress.lines("training", 3 * 3600, lambda: float(next(times)))
    for done in range(3 * 3600):
        update(done, "")
    told = capsys.readouterr().err.splitlines()
    assert 150 < len(told) < 300
    assert told[-1].endswith("left")
    assert "2:59:" in told[-1]


def test_what_is_soon_over_says_nothing_to_a_pipe(capsys: pytest.CaptureFixture[str]) -> None:
    with progress.bar("short", 2) as update:
        update(1, "")
        update(2, "")
    assert capsys.readouterr().err == ""
