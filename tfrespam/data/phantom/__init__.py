"""Synthetic mammograms with masses, stored in the layout of CBIS-DDSM."""
