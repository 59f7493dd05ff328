"""Functions that implement the stages; command lines call these."""
