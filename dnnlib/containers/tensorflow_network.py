"""Networks of TensorFlow's StyleGAN programs in a pickle as inert objects: a state, never code."""

import pickle
from typing import Any

from dnnlib.containers.safe_pickle import PLAIN, AllowList, StandIn


class TensorFlowNetwork(StandIn):
    """A dnnlib.tflib.network.Network: `state` is the dict that its pickle holds."""

    state: dict[str, Any]

    def __setstate__(self, state: dict[str, Any]) -> None:
        if not isinstance(state, dict):
            raise pickle.UnpicklingError("a network whose state is no dict")
        self.state = state


class OldNetwork(TensorFlowNetwork):
    """A tfutil.Network, of ProGAN's own repository."""


NETWORKS: AllowList = PLAIN | {
    ("dnnlib.tflib.network", "Network"): TensorFlowNetwork,
    ("tfutil", "Network"): OldNetwork,
}
