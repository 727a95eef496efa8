"""The library that runs walks: C++ beside this module, compiled once for the processor and kept in the cache folder."""

from __future__ import annotations

import ctypes
import hashlib
import os
import platform
import subprocess
import tempfile
import warnings
from functools import cache
from pathlib import Path

import torch
from platformdirs import user_cache_path

SOURCES = Path(__file__).parent
COMPILER = "CXX"
"""The environment variable that names the compiler; c++ by default."""

LEVELS = {"AVX512": "x86-64-v4", "AVX2": "x86-64-v3"}
FLAGS = ["-std=c++17", "-O3", "-fno-math-errno", "-Wno-psabi", "-shared", "-fPIC", "-pthread"]


@cache
def library() -> ctypes.CDLL | None:
    """The library; None, with one warning, where it can't be compiled or loaded: walks then take longer.

    The compiler runs once, for two seconds, for every version of the sources and every kind of processor.
    """
    try:
        loaded = ctypes.CDLL(str(_compiled()))
    except (OSError, subprocess.SubprocessError) as problem:
        warnings.warn(
            f"walks take a step at a time in Python, since their library could not be compiled: {_reason(problem)} "
            f"(install a C++ compiler, such as g++, or name yours by ${COMPILER})",
            stacklevel=2,
        )
        return None
    loaded.chainrule_walk.restype = ctypes.c_int32
    loaded.chainrule_fingerprint.restype = ctypes.c_uint64
    return loaded


def _compiled() -> Path:
    """The library's file, which is made if it is not there."""
    compiler, flags = os.environ.get(COMPILER, "c++"), [*FLAGS, *_processor()]
    files = sorted(path for path in SOURCES.iterdir() if path.suffix in (".cpp", ".h"))
    parts = [compiler, *flags, *(path.read_text(encoding="utf-8") for path in files)]
    key = hashlib.sha256("\0".join(parts).encode()).hexdigest()[:16]
    target = _folder() / f"walk-{key}.so"
    if not target.exists():
        target.parent.mkdir(parents=True, exist_ok=True)
        # Another process may be at the same: each writes a file of its own, and the last to finish puts it there.
        with tempfile.TemporaryDirectory(dir=target.parent) as folder:
            made = Path(folder) / target.name
            command = [*compiler.split(), *flags, str(SOURCES / "walk.cpp"), "-o", str(made)]
            subprocess.run(command, check=True, capture_output=True, text=True, timeout=300)
            os.replace(made, target)
    return target


def _processor() -> list[str]:
    """The flag that names the vectors of this processor; none where the compiler's own choice is right."""
    level = LEVELS.get(torch.backends.cpu.get_cpu_capability())
    return [f"-march={level}"] if level and platform.machine() in ("x86_64", "AMD64") else []


def _folder() -> Path:
    return user_cache_path("chainrule", appauthor=False) / "native"


def _reason(problem: Exception) -> str:
    if isinstance(problem, subprocess.CalledProcessError):
        return next((line for line in problem.stderr.splitlines() if "error" in line), str(problem))
    return str(problem)
