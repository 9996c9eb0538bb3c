"""The same StyleGAN2 in PyTorch, for comparison: skip architecture, with the weights of a record of
ours. Needs PyTorch, which nothing else here does. benchmarks/run.py runs it:

    python benchmarks/pytorch_stylegan2.py CONFIG RESOLUTION W.npy [compile]

makes images and pushes tangents of w [N, D], and prints the best seconds of each as JSON.

The style scales the activations, as in our network, which on a CPU is faster than a weight of its
own for each image. Images are [N, C, H, W] here.
"""

import json
import sys
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

import numpy as np
import torch
import torch.nn.functional as F

from benchmarks.make_network import random_network
from dnnlib.families.stylegan2.record import StyleGAN2Record


class TorchStyleGAN2:
    """Synthesis of w [N, D], the same for all layers, with constant noise."""

    def __init__(self, record: StyleGAN2Record) -> None:
        self.resolutions = record.resolutions
        self.arrays = {
            name: torch.from_numpy(np.ascontiguousarray(values, np.float32))
            for name, values in record.arrays.items()
        }
        for name, values in self.arrays.items():  # [k, k, Ci, Co] -> as PyTorch has them
            if name.endswith("conv0/weight"):
                self.arrays[name] = values.permute(2, 3, 0, 1).contiguous()
            elif name.endswith(("conv1/weight", "rgb/weight")):
                self.arrays[name] = values.permute(3, 2, 0, 1).contiguous()
        taps = torch.tensor(record.resample_kernel, dtype=torch.float32)
        taps = taps * 2 / taps.sum()
        self.fir = torch.outer(taps, taps)[None, None]

    def __call__(self, w: torch.Tensor) -> torch.Tensor:
        x = self.arrays["const"].permute(2, 0, 1)[None].expand(len(w), -1, -1, -1)
        image = None
        for size in self.resolutions:
            if f"{size}/conv0/weight" in self.arrays:
                x = self._layer(x, w, f"{size}/conv0", is_up=True)
            x = self._layer(x, w, f"{size}/conv1", is_up=False)
            rgb = self._rgb(x, w, f"{size}/rgb")
            image = rgb if image is None else rgb + self._up_sample(image)
        return image

    def _layer(self, x: torch.Tensor, w: torch.Tensor, name: str, is_up: bool) -> torch.Tensor:
        part = {key: self.arrays[f"{name}/{key}"] for key in ("weight", "noise", "bias")}
        s = self._style(w, name)
        squares = (part["weight"] ** 2).sum(dim=(2, 3))  # [Ci, Co], or [Co, Ci]
        d = torch.rsqrt(s**2 @ (squares if is_up else squares.T) + 1e-8)
        x = x * s[:, :, None, None]
        if is_up:
            x = F.conv_transpose2d(x, part["weight"], stride=2)
            channels = x.shape[1]
            fir = self.fir.expand(channels, 1, -1, -1)
            x = F.conv2d(F.pad(x, (1, 1, 1, 1)), fir, groups=channels)
        else:
            x = F.conv2d(x, part["weight"], padding=1)
        x = x * d[:, :, None, None] + part["noise"] + part["bias"][:, None, None]
        return F.leaky_relu(x, 0.2) * 2**0.5

    def _rgb(self, x: torch.Tensor, w: torch.Tensor, name: str) -> torch.Tensor:
        x = x * self._style(w, name)[:, :, None, None]
        return F.conv2d(x, self.arrays[f"{name}/weight"], self.arrays[f"{name}/bias"])

    def _style(self, w: torch.Tensor, name: str) -> torch.Tensor:
        return w @ self.arrays[f"{name}/style_weight"] + self.arrays[f"{name}/style_bias"]

    def _up_sample(self, image: torch.Tensor) -> torch.Tensor:
        """Zeros after each pixel, then the filter."""
        channels = image.shape[1]
        fir = self.fir.expand(channels, 1, -1, -1)
        return F.conv_transpose2d(image, fir, stride=2, groups=channels)[:, :, 1:-1, 1:-1]


def push_tangents(
    network: TorchStyleGAN2, w: torch.Tensor, tangents: torch.Tensor, step: int
) -> torch.Tensor:
    """The derivatives of the image, averaged over RGB and resized, along tangents [T, D] at w [1,
    D]: [T, H, W]."""

    def image(w: torch.Tensor) -> torch.Tensor:
        return network(w)[0, :, ::step, ::step].mean(dim=0)

    def push(tangent: torch.Tensor) -> torch.Tensor:
        return torch.func.jvp(image, (w,), (tangent[None],))[1]

    with torch.no_grad():
        return torch.func.vmap(push)(tangents)


def best_seconds(run: Callable[[int], object], counts: list[int]) -> float:
    """Of one of a batch: the least, over batches and calls; a first call does not count."""
    seconds = []
    for count in counts:
        run(count)
        for _ in range(3):
            start = time.perf_counter()
            run(count)
            seconds.append((time.perf_counter() - start) / count)
    return min(seconds)


def main() -> None:
    config, resolution, path = sys.argv[1], int(sys.argv[2]), Path(sys.argv[3])
    w = torch.from_numpy(np.load(path))
    record = random_network(config, resolution, w.shape[1])
    network = TorchStyleGAN2(record)
    counts = sorted({len(w) // 4, len(w)})
    tangents = torch.eye(record.w_dim)

    def synthesize(run: Callable, count: int) -> np.ndarray:
        with torch.no_grad():
            return run(w[:count]).numpy().transpose(0, 2, 3, 1)

    np.save(path.with_suffix(".image.npy"), synthesize(network, 1))
    times = {"eager": best_seconds(partial(synthesize, network), counts)}
    if sys.argv[4:] == ["compile"]:
        try:
            run = partial(synthesize, torch.compile(network))
            times["compiled"] = best_seconds(run, counts[-1:])
        except Exception as error:  # without a C++ compiler, for one
            print(f"torch.compile: {error}", file=sys.stderr)
    times["jvp"] = best_seconds(lambda n: push_tangents(network, w[:1], tangents[:n], 1), counts)
    print(json.dumps(times))


if __name__ == "__main__":
    main()
