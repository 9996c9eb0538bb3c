"""BigGAN and BigGAN-deep: the network, and a reader for each format."""

from dnnlib.families.biggan import pytorch
from dnnlib.families.interface import Reader

READERS = (Reader(pytorch.to_record, "state_dict", pytorch.MARKS),)
