"""Attention modules for the end of an encoder stage, by name."""

from tfrespam.layers.gated_projection import GATES, GatedProjection
from tfrespam.layers.pam import PAM

ATTENTIONS = ("pam", *GATES)


def build_attention(attention, options, strides=1, **kwargs):
    """Build the attention layer named `attention`, one of ATTENTIONS.

    PAM takes all `options`; the other layers use only "reduction", and "fusion" for the width of the output.
    """
    if attention == "pam":
        return PAM(**options, strides=strides, **kwargs)
    halve = options.get("fusion", "add") == "add"
    return GatedProjection(attention, options.get("reduction", 16), halve, strides, **kwargs)
