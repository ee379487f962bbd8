"""The phone app's loop on a laptop: a watched folder feeds a model that trains while it predicts.

    python examples/live.py MODEL FOLDER [--backend numpy|tflite] [--state learned.safetensors]

Photos put into FOLDER/CLASS become samples of that class. Photos put into FOLDER itself are predicted, again and again
while the model learns. Type p to pause the training, r to resume, q to quit.
"""

from __future__ import annotations

import argparse
import threading
import time
from concurrent.futures import CancelledError, Future
from pathlib import Path

from tflite_transfer import TransferLearningModel
from tflite_transfer.errors import ImageError
from tflite_transfer.images import ENDINGS


class Live:
    """One-epoch trainings in a thread, as long as they are not paused."""

    def __init__(self, model: TransferLearningModel, folder: Path) -> None:
        self.model, self.folder = model, folder
        self.seen: set[Path] = set()
        self.running = threading.Event()
        self.running.set()
        self.over = threading.Event()
        self.training: Future[list[float]] | None = None
        self.epochs = 0

    def look(self) -> None:
        """Take in the photos that are new."""
        for name in self.model.classes:
            for photo in sorted((self.folder / name).glob("*")):
                if photo not in self.seen and photo.suffix.lower() in ENDINGS:
                    self.seen.add(photo)
                    self.model.add_sample(photo, name).add_done_callback(self._tell)

    def _tell(self, added: Future[None]) -> None:
        if not added.cancelled() and added.exception() is not None:
            print(f"skipped: {added.exception()}")

    def train(self) -> None:
        """The training thread: an epoch at a time, so that pausing and new photos take effect soon."""
        while not self.over.is_set():
            if not self.running.wait(0.2) or self.model.sample_count < self.model.batch_size:
                time.sleep(0.2)
                continue
            try:
                self.training = self.model.train(1)
                loss = self.training.result()[0]
            except CancelledError:
                continue
            self.epochs += 1
            if self.epochs % 10 == 0:
                print(f"epoch {self.epochs}: loss {loss:.4f}, {self.model.sample_count} samples")

    def predict(self) -> None:
        """Name the photos that lie in the folder itself."""
        for photo in sorted(p for p in self.folder.iterdir() if p.suffix.lower() in ENDINGS):
            try:
                best = self.model.predict(photo)[0]
            except ImageError as e:
                print(e)
                continue
            print(f"  {photo.name}: {best.class_name} {best.confidence:.0%}")

    def command(self, line: str) -> bool:
        """Obey p (pause) and r (resume); False for q."""
        if line == "p":
            self.running.clear()
            if self.training is not None:
                self.training.cancel()
            print("paused")
        elif line == "r":
            self.running.set()
            print("training")
        return line != "q"


def main() -> None:
    """Watch, train and predict until q or the end of standard input."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model", type=Path)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--backend", default="numpy")
    parser.add_argument("--state", type=Path)
    arguments = parser.parse_args()
    with TransferLearningModel(arguments.model, backend=arguments.backend, state=arguments.state) as model:
        live = Live(model, arguments.folder)
        for name in model.classes:
            (arguments.folder / name).mkdir(parents=True, exist_ok=True)
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
    while not live.over.wait(2.0):
        live.look()
        live.predict()


if __name__ == "__main__":
    main()
