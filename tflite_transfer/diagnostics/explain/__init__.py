"""One training step of the user's own file, stage by stage: formula, numbers, source, and what LiteRT says."""
