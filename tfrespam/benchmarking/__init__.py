"""What the stage `benchmark` measures, one kind of path per file."""
