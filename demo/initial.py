"""Untrained StyleGAN2 generators: where training starts, and what benchmarks run on."""

import numpy as np

from dnnlib.families.stylegan2.record import StyleGAN2Record


def initial_network(
    resolution: int,
    z_dim: int,
    w_dim: int,
    mapping_layers: int,
    fmap_base: int,
    fmap_max: int,
    seed: int,
) -> StyleGAN2Record:
    """A `skip` generator with StyleGAN2's initial weights, noise of strength 0, and w_avg 0.

    Channels at resolution R: min(2 fmap_base / R, fmap_max).
    """
    weights = _InitialWeights(w_dim, seed)
    for i in range(mapping_layers):
        weights.add_dense(f"mapping/{i}", z_dim if i == 0 else w_dim)
    record = StyleGAN2Record(
        z_dim=z_dim,
        w_dim=w_dim,
        label_dim=0,
        resolution=resolution,
        num_channels=3,
        architecture="skip",
        activation="lrelu",
        mapping_activation="lrelu",
        normalize_z=True,
        label_normalization="joint",
        resample_kernel=(1.0, 3.0, 3.0, 1.0),
        conv_clamp=None,
        arrays=weights.arrays,
    )
    inputs = 0
    for size in record.resolutions:
        outputs = min(2 * fmap_base // size, fmap_max)
        if size == 4:
            weights.arrays["const"] = weights.normal(4, 4, outputs)
        else:
            weights.add_noisy(f"{size}/conv0", inputs, outputs, size)
        weights.add_noisy(f"{size}/conv1", outputs, outputs, size)
        weights.add_styled(f"{size}/rgb", 1, outputs, 3)
        inputs = outputs
    return record


class _InitialWeights:
    """The arrays of a record, drawn layer by layer."""

    def __init__(self, w_dim: int, seed: int) -> None:
        self.w_dim, self.random = w_dim, np.random.Generator(np.random.PCG64(seed))
        self.arrays: dict[str, np.ndarray] = {"w_avg": np.zeros(w_dim, np.float32)}

    def normal(self, *shape: int, fan_in: int = 1) -> np.ndarray:
        return self.random.standard_normal(shape, np.float32) / np.float32(np.sqrt(fan_in))

    def add_dense(self, name: str, inputs: int) -> None:
        self.arrays[f"{name}/weight"] = self.normal(inputs, self.w_dim, fan_in=inputs)
        self.arrays[f"{name}/bias"] = np.zeros(self.w_dim, np.float32)

    def add_styled(self, name: str, kernel: int, inputs: int, outputs: int) -> None:
        fan_in, w_dim = kernel**2 * inputs, self.w_dim
        self.arrays[f"{name}/weight"] = self.normal(kernel, kernel, inputs, outputs, fan_in=fan_in)
        self.arrays[f"{name}/bias"] = np.zeros(outputs, np.float32)
        self.arrays[f"{name}/style_weight"] = self.normal(w_dim, inputs, fan_in=w_dim)
        self.arrays[f"{name}/style_bias"] = np.ones(inputs, np.float32)

    def add_noisy(self, name: str, inputs: int, outputs: int, size: int) -> None:
        self.add_styled(name, 3, inputs, outputs)
        self.arrays[f"{name}/noise"] = np.zeros((size, size), np.float32)
