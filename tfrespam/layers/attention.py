"""The attention modules that can close an encoder stage, by name."""

from tfrespam.layers.gated_projection import GATES, GatedProjection
from tfrespam.layers.pam import PAM

ATTENTIONS = ("pam", *GATES)


def build_attention(attention, options, strides=1, **kwargs):
    """The layer `attention` of ATTENTIONS. Of PAM's `options` the others heed "reduction" and "fusion" (the width)."""
    if attention == "pam":
        return PAM(**options, strides=strides, **kwargs)
    halve = options.get("fusion", "add") == "add"
    return GatedProjection(attention, options.get("reduction", 16), halve, strides, **kwargs)
