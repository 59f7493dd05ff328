"""The page on which a person tries an exported network on a picture."""
