"""``python -m bench.peers [NAME ...]`` makes the environments of these peers, or of all: a gigabyte or two in sum."""

from __future__ import annotations

import argparse
import subprocess
import sys

from bench.peers import FOLDER, HERE, NAMES, interpreter


def main() -> None:
    """One after the other; an environment that is there is brought up to date."""
    parser = argparse.ArgumentParser(prog="python -m bench.peers", description=__doc__)
    parser.add_argument("names", nargs="*", choices=[*NAMES, []], metavar="NAME", help=", ".join(NAMES))
    for name in parser.parse_args().names or NAMES:
        subprocess.run([sys.executable, "-m", "venv", str(FOLDER / name)], check=True)
        requirements = str(HERE / f"{name}.txt")
        subprocess.run([str(interpreter(name)), "-m", "pip", "install", "-r", requirements], check=True)


if __name__ == "__main__":
    main()
