"""What a measurement was made on."""

from __future__ import annotations

import os
import platform
from importlib.metadata import version
from pathlib import Path

PACKAGES = ("numpy", "numba", "ai-edge-litert")


def processor() -> str:
    """The processor, with its SIMD width: the model's name alone hides it on rented machines."""
    info = Path("/proc/cpuinfo")
    text = info.read_text() if info.exists() else ""
    names = [line.partition(":")[2].strip() for line in text.splitlines() if line.startswith("model name")]
    simd = " ".join(s for s in ("avx512_vnni", "avx_vnni", "avx512f", "avx2", "asimd") if s in text) or "no SIMD known"
    return f"{(names or [platform.processor()])[0]}, {simd}, {os.cpu_count()} cores"


def machine() -> dict[str, str]:
    """The processor, and the versions that matter."""
    return {"cpu": processor(), "python": platform.python_version(), **{p: version(p) for p in PACKAGES}}
