"""What the numbers are worth: permutation tests, intervals and power, as pure functions on arrays."""
