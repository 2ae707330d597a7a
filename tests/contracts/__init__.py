"""Contract checks, run over every step and every recipe found."""
