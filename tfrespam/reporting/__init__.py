"""One HTML file about finished trainings: what they scored, on whom, and where they failed."""
