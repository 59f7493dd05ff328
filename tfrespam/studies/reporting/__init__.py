"""HTML report of finished training runs: scores, data, and failures."""
