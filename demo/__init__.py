"""What ``make demo`` runs, and how its base and photos were made."""
