"""Networks trained elsewhere: what they are, their weight files, how pictures go through them."""
