"""The example that watches a folder: photos become samples, training can be paused, others are predicted meanwhile."""

import queue
import re
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tflite_transfer import TransferLearningModel

ROOT = Path(__file__).parents[2]
HANG = 60  # seconds


class Live:
    """The running example: lines in, lines out."""

    def __init__(self, *words: object) -> None:
        command = [sys.executable, "-u", str(ROOT / "examples" / "live.py"), *map(str, words)]
        self.process = subprocess.Popen(command, stdin=-1, stdout=-1, stderr=-1, text=True, cwd=ROOT)
        self.lines: queue.Queue[str] = queue.Queue()
        self.reader = threading.Thread(target=self._read)
        self.reader.start()

    def _read(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self.lines.put(line)

    def until(self, part: str) -> list[str]:
        """All lines up to the next one with this part. Two threads print: a line may hold another's beginning."""
        end = time.monotonic() + HANG
        lines = [self.lines.get(timeout=HANG)]
        while part not in lines[-1]:
            lines.append(self.lines.get(timeout=max(end - time.monotonic(), 0)))
        return lines

    def say(self, line: str) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write(line + "\n")
        self.process.stdin.flush()


@pytest.fixture
def live(tiny_model: Path, tiny_photos: Path, tmp_path: Path) -> Iterator[Live]:
    """Watches a copy of the tiny photos in which the class blue has no folder yet."""
    shutil.copytree(tiny_photos, tmp_path / "watched")
    shutil.move(tmp_path / "watched" / "blue", tmp_path / "later")
    shutil.copy(tiny_photos / "red" / "00.png", tmp_path / "watched" / "new.png")
    running = Live(tiny_model, tmp_path / "watched", "--state", tmp_path / "learned.safetensors")
    yield running
    running.process.kill()
    running.reader.join(HANG)
    running.process.communicate()


def test_photos_that_cannot_be_read_stop_nothing(live: Live, tmp_path: Path) -> None:
    """One that is still being copied becomes a sample when it is whole."""
    live.until(", 8 samples")
    whole = next((tmp_path / "later").iterdir()).read_bytes()
    growing = tmp_path / "watched" / "blue" / "growing.png"
    growing.write_bytes(whole[:60])
    (tmp_path / "watched" / "blue" / "bad.png").write_text("no picture")
    told = live.until("growing.png ") + live.until("epoch ")
    assert any("skipped" in line for line in told)
    growing.write_bytes(whole)
    live.until(", 9 samples")
    live.say("q")
    assert live.process.wait(HANG) == 0
    assert live.process.stderr is not None
    assert live.process.stderr.read() == ""


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("gone", "photos"), "there is no model gone: neither a folder"),
        (("{model}", "photos", "--backend", "torch"), "the backend must be one of numpy, tflite, but is 'torch'."),
        (("{model}", "photos", "--state", "gone/a"), "state gone/a: there is no folder "),
        (("{model}", "photo.png"), "photo.png"),
    ],
)
def test_what_cannot_begin_is_one_line(words: tuple[str, ...], message: str, tiny_model: Path, tmp_path: Path) -> None:
    (tmp_path / "photo.png").touch()
    command = [sys.executable, str(ROOT / "examples" / "live.py"), *(w.format(model=tiny_model) for w in words)]
    ended = subprocess.run(command, stdin=-3, capture_output=True, text=True, cwd=tmp_path, check=False, timeout=HANG)
    assert ended.returncode == 1
    assert ended.stderr.startswith("live.py: error: ")
    assert message in ended.stderr
    assert ended.stderr.count("\n") == 1


def test_what_it_says_and_how_often(live: Live, tmp_path: Path) -> None:
    keys = "p pauses the training, r resumes it, q quits (each with Enter)"
    assert live.until("watching ")[-1] == f"watching {tmp_path / 'watched'}: {keys}\n"
    live.say("x")
    live.until(keys)
    (tmp_path / "watched" / "bad.png").write_text("no picture")
    live.until("bad.png is not an image")
    told = [line for _ in range(2) for line in live.until("  new.png: ")]  # it looked again
    assert not any("bad.png" in line for line in told)
    assert sum("epoch" in line for line in told) <= 4  # thousands were trained
    (tmp_path / "watched" / "bad.png").write_text("no picture either")
    live.until("bad.png is not an image")
    live.say("q")
    assert live.process.wait(HANG) == 0


def test_watch_pause_resume_quit(live: Live, tiny_model: Path, tmp_path: Path) -> None:
    watched = tmp_path / "watched"
    live.until(", 8 samples")  # it trains
    assert (watched / "blue").is_dir()  # made for photos to come
    (watched / "blue" / "broken.png").write_text("no picture")
    for photo in (tmp_path / "later").iterdir():
        photo.rename(watched / "blue" / photo.name)
    assert "broken.png is not an image" in live.until("skipped: ")[-1]
    live.until(", 12 samples")
    assert re.search(r"  new\.png: \w+ \d+%", live.until("  new.png: ")[-1])
    live.say("p")
    live.until("paused")
    live.until("  new.png: ")  # one epoch may still have been under way
    assert not any("epoch" in line for line in live.until("  new.png: "))  # predicting goes on, training does not
    live.say("r")
    live.until("training")
    live.until("epoch ")
    live.say("q")
    assert live.process.wait(HANG) == 0
    assert live.process.stderr is not None
    assert "Traceback" not in live.process.stderr.read()
    with TransferLearningModel(tiny_model, state=tmp_path / "learned.safetensors") as model:
        assert model.state().epoch > 10
        assert model.predict(watched / "new.png")[0].class_name == "red"
