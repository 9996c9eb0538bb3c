"""Modules of PyTorch in a pickle as inert objects: classes, settings and arrays, never code.

A module of NVIDIA's programs is a call of torch_utils.persistence._reconstruct_persistent_obj with
one dict:

    type           "class"
    class_name     of the module
    state          its __dict__, with the dicts _parameters and _buffers of arrays (see torch_file)
                   and _modules of further modules, all by name
    module_src     source code, which is neither run nor kept
    version        of this format; likewise

A module of PyTorch's own is an object of torch.nn.modules, by its class, with its __dict__ as
state, which is not kept but for an Embedding's.
"""

import pickle
from typing import Any

from dnnlib.containers.safe_pickle import AllowList, StandIn
from dnnlib.containers.torch_file import TENSORS


class Module:
    """A module of the file: the name of its class, and its state as a dict."""

    def __init__(self, meta: dict[str, Any]) -> None:
        if (
            meta["type"] != "class"
            or not isinstance(meta["class_name"], str)
            or not isinstance(meta["state"], dict)
        ):
            raise pickle.UnpicklingError("a module without a class or a state")
        self.class_name, self.state = meta["class_name"], meta["state"]


class PlainModule(StandIn):
    """A module of PyTorch's own, as networks other than the generator have them: of it, only the
    name of its class is kept."""

    class_name: str


class Embedding(Module, StandIn):
    """A torch.nn.Embedding, which StyleGAN-XL's generators have for their classes."""

    def __init__(self) -> None:
        self.class_name, self.state = "Embedding", {}

    def __setstate__(self, state: Any) -> None:
        if not isinstance(state, dict):
            raise pickle.UnpicklingError("an embedding whose state is no dict")
        self.state = state


_PLAIN_MODULES = {
    "activation": "ELU GELU GLU LeakyReLU MultiheadAttention PReLU ReLU ReLU6 SELU SiLU Sigmoid "
    "Softmax Softplus Tanh",
    "batchnorm": "BatchNorm1d BatchNorm2d SyncBatchNorm",
    "container": "ModuleDict ModuleList ParameterList Sequential",
    "conv": "Conv1d Conv2d Conv3d ConvTranspose2d",
    "dropout": "Dropout Dropout2d",
    "flatten": "Flatten Unflatten",
    "instancenorm": "InstanceNorm2d",
    "linear": "Bilinear Identity Linear",
    "normalization": "GroupNorm LayerNorm",
    "padding": "ReflectionPad2d ReplicationPad2d ZeroPad2d",
    "pixelshuffle": "PixelShuffle PixelUnshuffle",
    "pooling": "AdaptiveAvgPool2d AdaptiveMaxPool2d AvgPool2d MaxPool2d",
    "upsampling": "Upsample UpsamplingBilinear2d UpsamplingNearest2d",
}
MODULES: AllowList = (
    TENSORS
    | {
        ("torch_utils.persistence", "_reconstruct_persistent_obj"): Module,
        ("torch.nn.modules.sparse", "Embedding"): Embedding,
    }
    | {
        (f"torch.nn.modules.{part}", name): type(
            "PlainModule", (PlainModule,), {"class_name": name}
        )
        for part, names in _PLAIN_MODULES.items()
        for name in names.split()
    }
)
