"""StyleGAN3, configurations T and R: the network, and a reader for each format."""

from dnnlib.families.interface import Reader
from dnnlib.families.stylegan3 import pytorch

READERS = (Reader(pytorch.to_record, "modules", ("synthesis.input.freqs",)),)
