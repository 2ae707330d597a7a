"""Feature steps: a stack of pictures in, one array per picture out."""
