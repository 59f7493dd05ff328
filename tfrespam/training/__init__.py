"""Training of a network: fit, optimizer, recorded runs, and their cost."""
