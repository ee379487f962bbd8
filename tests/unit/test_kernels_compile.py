"""How kernels are compiled: kept on disk, and compiled again wherever that fails."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tflite_transfer.reference.kernels.compile import kernel, part, sources


def test_a_digest_tells_of_a_change_of_any_file(tmp_path: Path) -> None:
    found = set()
    (tmp_path / "of_it").mkdir()
    for name, text in ("a.py", "1"), ("b.py", "2"), ("a.py", "3"), ("of_it/b.py", "4"), ("note.txt", "5"):
        (tmp_path / name).write_text(text)
        found.add(sources.__wrapped__(tmp_path))
    assert len(found) == 4


def test_python_cannot_call_a_part_of_kernels() -> None:
    double = part()(lambda a: 2 * a)
    assert kernel()(lambda a: double(a) + 1)(2.0) == 5.0
    with pytest.raises(TypeError, match="is a part of kernels, which alone can call it"):
        double(2.0)


SCRIPT = """
import sys, warnings
from tflite_transfer.reference.kernels import compile
from tflite_transfer.reference.kernels.compile import kernel
if "--changed" in sys.argv:
    compile.sources = lambda folder: "other"
if "--small-files" in sys.argv:
    import resource
    resource.setrlimit(resource.RLIMIT_FSIZE, (4096, 4096))
with warnings.catch_warnings(record=True) as caught:
    warnings.simplefilter("always")
    one = kernel()(lambda a: a / 0)
    two = kernel(fastmath={"contract"})(lambda a: a + 1)
    results = one(1.0), two(1.0)
for w in caught:
    print(w.category.__name__, w.filename == __file__, w.message)
print(*results, "from the cache:", one.stats.cache_hits.total() + two.stats.cache_hits.total())
"""
NEW, KEPT = "inf 2.0 from the cache: 0", "inf 2.0 from the cache: 2"


@pytest.fixture
def script(tmp_path: Path) -> Path:
    (tmp_path / "script.py").write_text(SCRIPT)
    return tmp_path / "script.py"


def run(script: Path, *arguments: str) -> list[str]:
    """What a process prints that has no other folder for its cache than the script's."""
    environment = {k: v for k, v in os.environ.items() if not k.startswith("NUMBA_")}
    environment |= {"PYTHONPATH": os.pathsep.join(sys.path), "PYTHONDONTWRITEBYTECODE": "1"}
    environment |= dict.fromkeys(("HOME", "XDG_CACHE_HOME", "LOCALAPPDATA"), str(script / "nowhere"))
    command = [sys.executable, script, *arguments]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert done.stderr == ""
    return done.stdout.splitlines()


def kept(script: Path, kind: str) -> list[Path]:
    found = sorted((script.parent / "__pycache__").glob(f"*.{kind}"))
    assert len(found) == 2
    return found


def test_compiled_code_is_kept(script: Path) -> None:
    assert run(script) == [NEW]
    assert run(script) == [KEPT]


def test_a_change_of_another_kernel_compiles_again(script: Path) -> None:
    """It may be inlined in this one."""
    run(script)
    assert run(script, "--changed") == [NEW]
    assert run(script, "--changed") == [KEPT]


def test_without_a_folder_for_the_cache_there_is_one_warning(script: Path) -> None:
    # As root every folder is writable; a file where the folder should be stops root as well.
    (script.parent / "__pycache__").write_text("")
    warned, result = run(script)
    assert result == NEW
    assert warned.startswith("RuntimeWarning True numba cannot keep compiled kernels (there is no writable folder)")
    assert "NUMBA_CACHE_DIR" in warned


@pytest.mark.skipif(sys.platform == "win32", reason="no limit on the size of files")
def test_without_room_for_the_cache_there_is_one_warning(script: Path) -> None:
    """The index has room and the code has not: the index must not lead to the code of the script as it was."""
    script.write_text(SCRIPT.replace("a + 1", "a + 5"))
    assert run(script) == [NEW.replace("2.0", "6.0")]
    script.write_text(SCRIPT)
    warned, result = run(script, "--small-files")
    assert result == NEW
    assert warned.startswith("RuntimeWarning")
    assert "cannot keep compiled kernels ([Errno 27] File too large)" in warned
    assert "NUMBA_CACHE_DIR" in warned
    assert run(script) == [NEW]
    assert run(script) == [KEPT]


RENAMED = b"\x80\x04cno_such_module\nClass\n."  # pickled: a class of a module that is no more


@pytest.mark.parametrize("kind", ["nbi", "nbc"])
@pytest.mark.parametrize(
    "damage",
    [lambda old: old[:-1], lambda old: old[:20], lambda _: b"", lambda old: bytes(len(old)), lambda _: RENAMED],
    ids=["short", "shorter", "empty", "zeros", "renamed"],
)
def test_a_damaged_cache_is_replaced(script: Path, kind: str, damage: Any) -> None:
    run(script)
    for file in kept(script, kind):
        file.write_bytes(damage(file.read_bytes()))
    assert run(script) == [NEW]
    assert run(script) == [KEPT]
