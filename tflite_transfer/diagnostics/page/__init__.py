"""What self-contained HTML pages are made of: one file, no network, no script; light and dark, desk and phone."""
