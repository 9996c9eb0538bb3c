"""BigGAN and BigGAN-deep: the network, and a reader for each format."""

from dnnlib.families.biggan import hub, huggingface, pytorch
from dnnlib.families.interface import Reader

READERS = (
    Reader(pytorch.to_record, "state_dict", pytorch.MARKS),
    Reader(
        huggingface.to_record,
        "state_dict",
        huggingface.MARKS,
        settings_file=huggingface.SETTINGS_FILE,
    ),
    Reader(hub.to_record, "saved_model", ()),
)
