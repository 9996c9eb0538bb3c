"""ProGAN: the network, and a reader for each format."""

from dnnlib.families.interface import Reader
from dnnlib.families.progan import tensorflow

READERS = (Reader(tensorflow.to_record, "tensorflow", ("4x4/Dense/weight",)),)
