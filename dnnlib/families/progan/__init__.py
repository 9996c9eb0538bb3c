"""ProGAN: the network, and a reader for each format."""

from dnnlib.families.genforce import SETTINGS_KEY
from dnnlib.families.interface import Reader
from dnnlib.families.progan import genforce, tensorflow

READERS = (
    Reader(tensorflow.to_record, "tensorflow", ("4x4/Dense/weight",)),
    Reader(genforce.to_record, "state_dict", genforce.MARKS, settings_key=SETTINGS_KEY),
)
