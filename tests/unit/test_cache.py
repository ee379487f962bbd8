"""Bottlenecks kept on disk: the same bits as without, nothing computed twice, and files that are not what they were."""

import errno
import os
import subprocess
import sys
import warnings
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from tflite_transfer import TransferLearningModel, row_files
from tflite_transfer.backends.graphs import GraphBackend
from tflite_transfer.bottlenecks import Bottlenecks
from tflite_transfer.errors import CacheError, ImageError, OptionError
from tflite_transfer.row_files import RowFiles

HANG = 30  # seconds
Pairs = list[tuple[Any, str]]


@pytest.fixture
def pictures(tiny_photos: Path) -> Pairs:
    """Twelve files, of which one comes twice, and once more in another class."""
    found = [(path, path.parent.name) for path in sorted(tiny_photos.glob("*/*.png"))]
    return [*found, found[0], (found[0][0], "green")]


@pytest.fixture
def computed(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """How many images each call of a base got."""
    calls: list[int] = []
    plain = GraphBackend.bottlenecks
    monkeypatch.setattr(GraphBackend, "bottlenecks", lambda self, x: (calls.append(len(x)), plain(self, x))[1])
    return calls


def trained(model: Path, pairs: Pairs, cache: Path | None = None, **options: Any) -> list[bytes]:
    """All that a training and an evaluation give."""
    with TransferLearningModel(model, seed=7, cache_dir=cache, **options) as opened:
        for added in opened.add_samples(pairs):
            added.result(HANG)
        losses = opened.train(3).result(HANG)
        found = opened.evaluate(pairs)
        return [np.array([*losses, found.loss]).tobytes(), *(p.tobytes() for p in opened.parameters().values())]


# ---- the same bits


@pytest.mark.parametrize("backend", ["numpy", "tflite"])
@pytest.mark.parametrize("optimizer", ["sgd", "adam"])
def test_bits_are_those_without_a_cache_and_nothing_is_computed_twice(
    optimizer: str, backend: str, tiny_models: Mapping[str, Path], pictures: Pairs, computed: list[int], tmp_path: Path
) -> None:
    model = tiny_models[optimizer]
    expected = trained(model, pictures, backend=backend)
    computed.clear()
    assert trained(model, pictures, tmp_path / "cache", backend=backend) == expected
    assert sum(computed) <= len(pictures)  # the evaluation's are there; two threads may meet one image at once
    computed.clear()
    assert trained(model, pictures, tmp_path / "cache", backend=backend) == expected
    assert trained(model, pictures[::-1], tmp_path / "cache", backend=backend) == trained(
        model, pictures[::-1], backend=backend
    )
    assert sum(computed) == 2 * len(pictures)  # the last one's, without a cache


def test_arrays_and_pil_images_are_known_again(
    tiny_model: Path, draw: Callable, computed: list[int], tmp_path: Path
) -> None:
    arrays = draw(6)
    pairs = [*arrays, *((Image.fromarray((255 * image).astype(np.uint8)), name) for image, name in draw(6, seed=1))]
    expected = trained(tiny_model, pairs, tmp_path / "cache")
    computed.clear()
    assert (
        trained(tiny_model, [(np.array(i) if i is arrays else i, n) for i, n in pairs], tmp_path / "cache") == expected
    )
    assert not computed


def test_a_base_reads_only_what_it_computed_itself(
    make_model: Callable, pictures: Pairs, computed: list[int], tmp_path: Path
) -> None:
    for options in ({}, {"depth": 1}, {"input_range": "-1,1"}):
        model = make_model(**options)
        computed.clear()
        assert trained(model, pictures, tmp_path) == trained(model, pictures)
        assert sum(computed) >= 12 + 2 * len(pictures)
    trained(model, pictures, tmp_path, backend="tflite")
    assert len(list(tmp_path.glob("*.rows"))) == len(list(tmp_path.glob("*.index"))) == 4


def test_prediction_keeps_nothing(tiny_model: Path, pictures: Pairs, tmp_path: Path) -> None:
    with TransferLearningModel(tiny_model, cache_dir=tmp_path) as model:
        model.predict(pictures[0][0])
    assert [p.stat().st_size for p in tmp_path.glob("*.rows")] == [0]


def test_unreadable_images_are_named_as_without(tiny_model: Path, pictures: Pairs, tmp_path: Path) -> None:
    (tmp_path / "note.png").write_text("no picture")
    with TransferLearningModel(tiny_model, cache_dir=tmp_path / "cache") as model:
        with pytest.raises(ImageError, match=r"note\.png is not an image that Pillow can read"):
            model.add_sample(tmp_path / "note.png", "red").result(HANG)
        with pytest.raises(ImageError, match=r"there is no image .*gone\.png"):
            model.add_sample(tmp_path / "gone.png", "red").result(HANG)
        with pytest.raises(ImageError, match=r"(?s)2 images cannot be read:.*note\.png.*gone\.png"):
            model.evaluate([*pictures, (tmp_path / "note.png", "red"), (tmp_path / "gone.png", "red")])


def test_an_image_that_was_replaced_meanwhile_is_not_taken_for_the_old_one(
    tiny_model: Path, tiny_photos: Path, computed: list[int], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    photo, new = tmp_path / "a.png", tiny_photos / "green" / "01.png"
    old = (tiny_photos / "red" / "00.png").read_bytes()
    photo.write_bytes(old)
    plain = Bottlenecks._one
    monkeypatch.setattr(Bottlenecks, "_one", lambda *a: (photo.write_bytes(new.read_bytes()), plain(*a))[1])
    with TransferLearningModel(tiny_model, cache_dir=tmp_path / "cache") as model:
        model.add_sample(photo, "red").result(HANG)
    monkeypatch.undo()
    photo.write_bytes(old)
    fresh = trained(tiny_model, [(photo, "red")] * 5)
    assert trained(tiny_model, [(photo, "red")] * 5, tmp_path / "cache") == fresh


def test_the_next_batches_are_asked_for_while_a_chunk_computes(
    tiny_model: Path, pictures: Pairs, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    events: list[Any] = []
    fetch, train = RowFiles.fetch, GraphBackend.train
    monkeypatch.setattr(RowFiles, "fetch", lambda s, rows: (events.append(rows.ravel().tolist()), fetch(s, rows))[1])

    def spied(self: GraphBackend, *arguments: Any) -> Any:
        events.append(("train", arguments[-1].ravel().tolist()))
        return train(self, *arguments)

    monkeypatch.setattr(GraphBackend, "train", spied)
    trained(tiny_model, pictures, tmp_path)
    asked = [e for e in events if isinstance(e, list)]
    done = [rows for _, rows in (e for e in events if isinstance(e, tuple))]
    assert len(done[0]) == 5  # the first chunk is one step
    assert asked[0] == [row for rows in done for row in rows][:15]  # it, and the rest of its epoch
    assert not asked[1]
    assert events.index(asked[0]) < events.index(("train", done[0]))


# ---- files that are not what they were


@pytest.fixture
def kept(tmp_path: Path) -> Iterator[Callable[[], RowFiles]]:
    """Opens files in which three rows were kept: n + 0.5, by the name of 32 n."""
    opened: list[RowFiles] = []

    def open_again() -> RowFiles:
        for files in opened:
            files.close()
        opened.append(RowFiles(tmp_path / "cache", "kept", bytes(32), 5))
        return opened[-1]

    files = open_again()
    for n in range(1, 4):
        files.append(bytes([n]) * 32, np.full(5, n + 0.5, np.float32))
    open_again()
    yield open_again
    opened[-1].close()


def check(files: RowFiles, least: int) -> None:
    """Every row that has a name is the one that was kept by it."""
    found = 0
    for number, name in enumerate(files.names):
        row = files.read(number) if any(name) else None
        if row is not None:
            assert name == name[:1] * 32
            assert row.tolist() == [name[0] + 0.5] * 5
            found += 1
    assert found >= least


SIZES = {"index": 72 + 3 * 40, "rows": 3 * 20}


@pytest.mark.parametrize("end", SIZES)
def test_any_byte_that_changed_is_noticed(end: str, kept: Callable[[], RowFiles], tmp_path: Path) -> None:
    kept().close()
    both = {e: (tmp_path / "cache" / f"kept.{e}").read_bytes() for e in SIZES}
    assert len(both[end]) == SIZES[end]
    for at in range(SIZES[end]):
        changed = bytearray(both[end])
        changed[at] ^= 0x10
        for e, content in {**both, end: changed}.items():
            (tmp_path / "cache" / f"kept.{e}").write_bytes(content)
        if end == "index" and at < 72:
            with pytest.raises(CacheError, match=r"kept\.index is damaged, or no index of bottlenecks: delete it, or"):
                kept()
            continue
        with pytest.warns(UserWarning, match="damaged"):
            check(kept(), 2)
        check(kept(), 2)  # without a warning: it is nobody's from now on


@pytest.mark.parametrize("end", SIZES)
def test_files_that_were_cut_short(end: str, kept: Callable[[], RowFiles], tmp_path: Path) -> None:
    path = tmp_path / "cache" / f"kept.{end}"
    kept().close()
    both = {e: (tmp_path / "cache" / f"kept.{e}").read_bytes() for e in SIZES}
    for size in range(SIZES[end]):
        for e, content in both.items():
            (tmp_path / "cache" / f"kept.{e}").write_bytes(content)
        path.write_bytes(both[end][:size])
        with warnings.catch_warnings(record=True) as told:
            warnings.simplefilter("always")
            files = kept()
        whole = max(size - 72, 0) // 40 if end == "index" else size // 20
        assert len(files.names) == whole
        assert [len(told)] == [0 if end == "index" else 1], "an index is cut where a process was killed"
        check(files, whole)
        number = files.append(b"\x09" * 32, np.full(5, 9.5, np.float32))
        check(kept(), whole + 1)
        assert number == whole


def test_a_full_disk_leaves_what_was_kept(
    kept: Callable[[], RowFiles], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    files = kept()
    plain = row_files._write
    for calls in (1, 2):  # the row, the record

        def full(file: Any, at: int, content: Any, left: list[int] = [calls]) -> None:  # noqa: B006
            left[0] -= 1
            if not left[0]:
                plain(file, at, content[: len(content) // 2])
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
            plain(file, at, content)

        monkeypatch.setattr(row_files, "_write", full)
        with pytest.raises(CacheError, match=r"no more bottlenecks can be kept in .*cache: No space left on device\."):
            files.append(b"\x09" * 32, np.full(5, 9.5, np.float32))
        monkeypatch.undo()
        check(files, 3)
        assert {e: (tmp_path / "cache" / f"kept.{e}").stat().st_size for e in SIZES} == SIZES
    assert files.append(b"\x09" * 32, np.full(5, 9.5, np.float32)) == 3
    check(files := kept(), 4)
    assert len(files.names) == 4


def test_rows_do_not_change_while_others_come(kept: Callable[[], RowFiles]) -> None:
    files = kept()
    before = files.all()
    files.append(b"\x09" * 32, np.full(5, 9.5, np.float32))
    assert before.shape == (3, 5)
    assert files.all()[:, 0].tolist() == [1.5, 2.5, 3.5, 9.5]
    files.fetch(np.array([[3, 0]]))
    files.close()
    assert before[:, 0].tolist() == [1.5, 2.5, 3.5]
    assert not before.flags.writeable


# ---- folders


def test_a_folder_serves_one_at_a_time(tiny_model: Path, pictures: Pairs, tmp_path: Path) -> None:
    expected = trained(tiny_model, pictures)
    code = (
        "import sys; from tflite_transfer import TransferLearningModel as M; m = M(sys.argv[1], cache_dir=sys.argv[2])"
    )
    command = [sys.executable, "-c", f"{code}; print('open', flush=True); sys.stdin.read()", tiny_model, tmp_path / "c"]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, cwd=Path(__file__).parents[2]
    ) as other:
        assert other.stdout
        assert other.stdout.readline() == b"open\n"
        with pytest.raises(CacheError, match="is in use: wait for the other training, or give another folder"):
            trained(tiny_model, pictures, tmp_path / "c")
        other.kill()
    assert trained(tiny_model, pictures, tmp_path / "c") == expected


def test_folders_that_cannot_be(tiny_model: Path, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("text")
    for folder, why in (("file", "File exists"), ("gone/cache", "No such file or directory"), ("file/a", "Not a dir")):
        with pytest.raises(OptionError, match=rf"cache_dir .*{folder} must be a folder that can be written: {why}"):
            TransferLearningModel(tiny_model, cache_dir=tmp_path / folder)
