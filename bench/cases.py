"""All that is measured, in the order of the table."""

from __future__ import annotations

from bench import heads, networks

CASES = (*heads.CASES, *networks.CASES)
