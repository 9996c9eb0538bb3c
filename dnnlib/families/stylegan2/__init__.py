"""StyleGAN2 and StyleGAN2-ADA: the network, and a reader for each format."""

from dnnlib.families.genforce import SETTINGS_KEY
from dnnlib.families.interface import Reader
from dnnlib.families.stylegan2 import genforce, pytorch, rosinality, state_dict, tensorflow

_ADA = ("synthesis.b4.const", "synthesis.b4.conv1.weight", "synthesis.b4.conv1.bias")
READERS = (
    Reader(tensorflow.to_record, "tensorflow", ("synthesis/4x4/Conv/mod_weight",)),
    Reader(pytorch.to_record, "modules", _ADA),
    Reader(state_dict.to_record, "state_dict", _ADA),
    Reader(
        rosinality.to_record,
        "state_dict",
        ("style.1.weight", "input.input", "conv1.conv.weight", "to_rgb1.bias"),
        beside="latent_avg",
    ),
    Reader(genforce.to_record, "state_dict", genforce.MARKS, settings_key=SETTINGS_KEY),
)
