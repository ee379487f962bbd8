"""All that is measured, in the order of the table."""

from __future__ import annotations

from bench import bottlenecks, growth, heads, memory, one_file, start

CASES = tuple(case for part in (heads, bottlenecks, one_file, start, memory, growth) for case in part.CASES)
