"""Convert films to stored examples."""
