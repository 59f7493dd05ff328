"""Keras layers. Importing this package registers them, which loading a saved model needs."""

from tfrespam.layers.channel_gate import ChannelGate
from tfrespam.layers.conv_unit import ConvUnit
from tfrespam.layers.gated_projection import GatedProjection
from tfrespam.layers.image_standardization import ImageStandardization
from tfrespam.layers.pam import PAM
from tfrespam.layers.residual_bottleneck import ResidualBottleneck
from tfrespam.layers.respam import ResPAM
from tfrespam.layers.spatial_gate import SpatialGate

__all__ = ["ChannelGate", "ConvUnit", "GatedProjection", "ImageStandardization", "PAM", "ResPAM", "ResidualBottleneck",
           "SpatialGate"]
