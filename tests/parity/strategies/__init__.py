"""What hypothesis draws cases of one operator from, by family."""
