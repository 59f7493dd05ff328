"""The graph inside an exported SavedModel."""
