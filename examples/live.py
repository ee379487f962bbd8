"""The phone app's loop on a laptop: a watched folder feeds a model that trains while it predicts.

    python examples/live.py MODEL FOLDER [--backend numpy|tflite] [--state learned.safetensors]

Photos put into FOLDER/CLASS become samples of that class. Photos put into FOLDER itself are predicted, again and again
while the model learns. Type p to pause the training, r to resume, q to quit.
"""

from __future__ import annotations

import argparse
import sys
import threading
import time
import warnings
from concurrent.futures import CancelledError, Future
from functools import partial
from pathlib import Path

from tflite_transfer import TransferLearningModel
from tflite_transfer.errors import ImageError, OptionError, TransferError
from tflite_transfer.images import ENDINGS

KEYS = "p pauses the training, r resumes it, q quits (each with Enter)"
SECONDS = 2.0  # between two looks at the folder, and between two lines about the loss


class Live:
    """One-epoch trainings in a thread, as long as they are not paused."""

    def __init__(self, model: TransferLearningModel, folder: Path) -> None:
        self.model, self.folder = model, folder
        self.taken: set[Path] = set()  # samples, or about to become ones
        self.ready: set[Path] = set()  # samples
        self.failed: dict[Path, tuple[int, int]] = {}  # size and time of what could not be read
        self.told = -SECONDS  # when a loss was printed last
        self.running = threading.Event()
        self.running.set()
        self.over = threading.Event()
        self.training: Future[list[float]] | None = None
        self.epochs = 0

    def look(self) -> None:
        """Take in the photos that are new."""
        for name in self.model.classes:
            for photo in sorted((self.folder / name).glob("*")):
                if photo.suffix.lower() in ENDINGS and photo not in self.taken and photo.exists():
                    self._take(photo, name)

    def _take(self, photo: Path, name: str) -> None:
        """A photo that could not be read is tried again once it has changed: it may have been only half copied."""
        now = _stamp(photo)
        if self.failed.get(photo) != now:
            self.taken.add(photo)
            self.model.add_sample(photo, name).add_done_callback(partial(self._tell, photo, now))

    def _tell(self, photo: Path, then: tuple[int, int], added: Future[None]) -> None:
        if added.cancelled():
            return
        if added.exception() is None:
            self.ready.add(photo)
        else:
            print(f"skipped: {added.exception()}")
            self.failed[photo] = then
            self.taken.discard(photo)

    def train(self) -> None:
        """The training thread: an epoch at a time, so that pausing and new photos take effect soon."""
        while not self.over.is_set():
            if not self.running.wait(0.2) or len(self.ready) < self.model.batch_size:
                time.sleep(0.2)
                continue
            try:
                self.training = self.model.train(1)
                loss = self.training.result()[0]
            except CancelledError:
                continue
            except TransferError as e:  # the state cannot be saved, say: time to mend it
                print(f"not trained: {e}")
                self.over.wait(SECONDS)
                continue
            self.epochs += 1
            if time.monotonic() - self.told > SECONDS:
                self.told = time.monotonic()
                print(f"epoch {self.epochs}: loss {loss:.4f}, {self.model.sample_count} samples")

    def predict(self) -> None:
        """Name the photos that lie in the folder itself."""
        for photo in sorted(p for p in self.folder.iterdir() if p.suffix.lower() in ENDINGS):
            now = _stamp(photo)
            if self.failed.get(photo) == now:  # it was told
                continue
            try:
                best = self.model.predict(photo)[0]
            except ImageError as e:
                print(e)
                self.failed[photo] = now
                continue
            print(f"  {photo.name}: {best.class_name} {best.confidence:.0%}")

    def command(self, line: str) -> bool:
        """Obey p (pause) and r (resume), and answer what is neither; False for q."""
        if line == "p":
            self.running.clear()
            if self.training is not None:
                self.training.cancel()
            print("paused")
        elif line == "r":
            self.running.set()
            print("training")
        elif line != "q":
            print(KEYS)
        return line != "q"


def _stamp(photo: Path) -> tuple[int, int]:
    """What changes when the file does; zeros where it was just taken away."""
    try:
        found = photo.stat()
    except FileNotFoundError:
        return 0, 0
    return found.st_size, found.st_mtime_ns


def main() -> None:
    """Watch, train and predict until q or the end of standard input."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model", type=Path, metavar="MODEL", help="folder of the five .tflite files, or one file")
    parser.add_argument("folder", type=Path, metavar="FOLDER", help="folder to watch; it gets a folder for each class")
    parser.add_argument(
        "--backend", default="numpy", metavar="numpy|tflite", help="what runs the model; numpy by default"
    )
    parser.add_argument("--state", type=Path, metavar="FILE", help="where to go on from, and to save, what is learned")
    arguments = parser.parse_args()
    if arguments.folder.exists() and not arguments.folder.is_dir():
        raise OptionError(f"FOLDER {arguments.folder} is a file.")
    warnings.simplefilter("ignore", UserWarning)  # of photos that cannot be read: they are told of here
    with TransferLearningModel(arguments.model, backend=arguments.backend, state=arguments.state) as model:
        live = Live(model, arguments.folder)
        for name in model.classes:
            (arguments.folder / name).mkdir(parents=True, exist_ok=True)
        print(f"watching {arguments.folder}: {KEYS}")
        trainer = threading.Thread(target=live.train, name="live training")
        watcher = threading.Thread(target=_watch, args=(live,), name="live folder")
        trainer.start()
        watcher.start()
        try:
            while live.command(input().strip()):
                pass
        except (EOFError, KeyboardInterrupt):
            print("stopping")
        live.over.set()
        live.running.set()
        trainer.join()
        watcher.join()


def _watch(live: Live) -> None:
    while not live.over.wait(SECONDS):
        live.look()
        live.predict()


if __name__ == "__main__":
    try:
        main()
    except (TransferError, OSError) as e:
        sys.exit(f"live.py: error: {e}")
