"""A path that comes from a model stays in the folder that its user names."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tflite_transfer.reference.checkpoint.paths import confined
from tflite_transfer.reference.tflite.errors import StateError


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "in" / "sub").mkdir(parents=True)
    (tmp_path / "in2").mkdir()
    (tmp_path / "out").mkdir()
    return tmp_path / "in"


@pytest.mark.parametrize(
    "path", ["a", b"a", "sub/a", "./sub//a", "new/b", "ä\U0001f600", "\u3042 b", "a..b", "...", "x" * 255]
)
def test_a_relative_path_begins_at_the_folder(path: str | bytes, folder: Path) -> None:
    found = confined(path, folder)
    assert found == folder / os.fsdecode(path)
    assert found.is_absolute()


def test_an_absolute_path_in_the_folder_is_fine(folder: Path) -> None:
    assert confined(str(folder / "sub" / "a"), folder) == folder / "sub" / "a"
    assert confined(os.fsencode(folder / "a"), folder) == folder / "a"


def test_the_folder_may_be_relative_or_a_link(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(folder.parent)
    assert confined("a", Path("in")) == folder / "a"
    (folder.parent / "link").symlink_to(folder)
    assert confined("a", folder.parent / "link") == folder / "a"
    assert confined(str(folder.parent / "link" / "a"), folder.parent / "link") == folder / "a"


def test_links_within_the_folder_are_followed(folder: Path) -> None:
    (folder / "link").symlink_to("sub")
    (folder / "file").symlink_to(folder / "sub" / "none yet")
    assert confined("link/a", folder) == folder / "sub" / "a"
    assert confined("file", folder) == folder / "sub" / "none yet"


@pytest.mark.parametrize(
    ("path", "why"),
    [
        ("", "it is empty"),
        (b"", "it is empty"),
        ("a\0b", "NUL"),
        (b"\0", "NUL"),
        ("a\x1b[2Jb", "control characters"),
        (b"\n", "control characters"),
        ("sub/\x7f", "control characters"),
        ("a\x9bb", "control characters"),
        ("a\u2028b", "line breaks"),
        (b"\xff\xfe", "not UTF-8"),
        (b"a\x80", "not UTF-8"),
        ("..", r"holds '\.\.'"),
        ("../in/a", r"holds '\.\.'"),
        ("sub/../a", r"holds '\.\.'"),
        (b"sub/..", r"holds '\.\.'"),
        ("/etc/passwd", "it leads to '/etc/passwd'"),
        (b"/", "it leads to '/'"),
        ("//etc", "it leads to"),
        (".", "it leads to '.*/in'"),
        ("sub/" + "x" * 256, "longer than"),
        ("ä" * 128, "longer than"),
        ("x/" * 2048, "longer than"),
        ("x" * 10_000_000, "longer than"),
        ("\ud800", "surrogates not allowed"),
    ],
)
def test_a_path_that_leads_elsewhere_is_refused(path: str | bytes, why: str, folder: Path) -> None:
    with pytest.raises(
        StateError, match=f"^the path .* is refused, since it must lie in the folder .*/in': .*{why}"
    ) as e:
        confined(path, folder)
    assert repr(path)[:200].rstrip("'") in str(e.value)
    assert len(str(e.value)) < 5000


def test_a_folder_whose_name_begins_alike_is_another(folder: Path) -> None:
    with pytest.raises(StateError, match=r"it leads to '.*/in2/a'"):
        confined(str(folder.parent / "in2" / "a"), folder)


def test_the_folder_itself_is_refused(folder: Path) -> None:
    with pytest.raises(StateError, match=r"it leads to '.*/in'"):
        confined(str(folder), folder)


@pytest.mark.parametrize("target", ["../out", "../out/a", "/etc/passwd", "../none"])
def test_a_link_out_of_the_folder_is_refused(target: str, folder: Path) -> None:
    (folder / "link").symlink_to(target)
    (folder / "sub" / "second").symlink_to(folder / "link")
    for path in ("link", "link/b", "sub/second", str(folder / "link")):
        with pytest.raises(StateError, match="it leads to"):
            confined(path, folder)


def test_links_in_a_circle_are_refused(folder: Path) -> None:
    (folder / "one").symlink_to("two")
    (folder / "two").symlink_to("one")
    with pytest.raises(StateError, match=r"'one' is refused"):
        confined("one", folder)


def test_a_folder_that_is_none_is_refused(folder: Path) -> None:
    (folder / "file").write_bytes(b"")
    with pytest.raises(StateError, match="the folder is none"):
        confined("a", folder / "file")
    with pytest.raises(StateError, match="No such file"):
        confined("a", folder / "missing")
