"""Networks against each other: many trainings, their scores pooled, tested and drawn."""
