"""StyleGAN1: the network, and a reader for each format."""

from dnnlib.families.genforce import SETTINGS_KEY
from dnnlib.families.interface import Reader
from dnnlib.families.stylegan1 import genforce, tensorflow

READERS = (
    Reader(tensorflow.to_record, "tensorflow", ("synthesis/4x4/Const/StyleMod/weight",)),
    Reader(genforce.to_record, "state_dict", genforce.MARKS, settings_key=SETTINGS_KEY),
)
