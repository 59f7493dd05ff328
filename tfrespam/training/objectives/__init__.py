"""Training objectives beyond a single loss: adversarial training, box supervision, deep supervision."""
