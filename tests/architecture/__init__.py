"""What the source has to be like: levels, sizes, imports."""
