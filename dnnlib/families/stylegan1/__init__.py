"""StyleGAN1: the network, and a reader for each format."""

from dnnlib.families.interface import Reader
from dnnlib.families.stylegan1 import tensorflow

READERS = (Reader(tensorflow.to_record, "tensorflow", ("synthesis/4x4/Const/StyleMod/weight",)),)
