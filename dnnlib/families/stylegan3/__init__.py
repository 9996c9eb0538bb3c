"""StyleGAN3, configurations T and R: the network, and a reader for each format."""

from dnnlib.families.genforce import SETTINGS_KEY
from dnnlib.families.interface import Reader
from dnnlib.families.stylegan3 import genforce, pytorch

READERS = (
    Reader(pytorch.to_record, "modules", ("synthesis.input.freqs",)),
    Reader(genforce.to_record, "state_dict", genforce.MARKS, settings_key=SETTINGS_KEY),
)
