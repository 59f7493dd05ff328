"""Keras layers. Importing this package registers them, which is required to load a saved model."""

from tfrespam.layers.argmax_pooling import ArgmaxPooling2D
from tfrespam.layers.aspp import ASPP
from tfrespam.layers.channel_gate import ChannelGate
from tfrespam.layers.conv_unit import ConvUnit
from tfrespam.layers.gated_projection import GatedProjection
from tfrespam.layers.image_standardization import ImageStandardization
from tfrespam.layers.late_fusion import LateFusion
from tfrespam.layers.local_contrast import LocalContrast
from tfrespam.layers.max_unpooling import MaxUnpooling2D
from tfrespam.layers.pam import PAM
from tfrespam.layers.pixel_shuffle import PixelShuffle
from tfrespam.layers.quarter_turn import QuarterTurn
from tfrespam.layers.residual_bottleneck import ResidualBottleneck
from tfrespam.layers.respam import ResPAM
from tfrespam.layers.spatial_gate import SpatialGate
from tfrespam.layers.temperature import Temperature

__all__ = ["ASPP", "PAM", "ArgmaxPooling2D", "ChannelGate", "ConvUnit", "GatedProjection", "ImageStandardization",
           "LateFusion", "LocalContrast", "MaxUnpooling2D", "PixelShuffle", "QuarterTurn", "ResPAM",
           "ResidualBottleneck", "SpatialGate", "Temperature"]
