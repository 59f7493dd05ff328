"""Page on which a user tries an exported network on an image."""
