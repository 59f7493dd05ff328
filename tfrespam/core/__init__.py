"""Shared utilities: files, errors, worker processes and provenance. Every other package may import them."""
