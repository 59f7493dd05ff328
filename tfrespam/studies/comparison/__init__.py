"""Compare networks: run many trainings, and pool, test and plot their scores."""
