"""Networks that learn: one training loop for generators and for published systems."""
