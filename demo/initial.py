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
    generator = np.random.Generator(np.random.PCG64(seed))
    arrays: dict[str, np.ndarray] = {"w_avg": np.zeros(w_dim, np.float32)}

    def normal(*shape: int, fan_in: int = 1) -> np.ndarray:
        return generator.standard_normal(shape, np.float32) / np.float32(np.sqrt(fan_in))

    def dense(name: str, inputs: int, outputs: int) -> None:
        arrays[f"{name}/weight"] = normal(inputs, outputs, fan_in=inputs)
        arrays[f"{name}/bias"] = np.zeros(outputs, np.float32)

    def styled(name: str, kernel: int, inputs: int, outputs: int) -> None:
        arrays[f"{name}/weight"] = normal(
            kernel, kernel, inputs, outputs, fan_in=kernel**2 * inputs
        )
        arrays[f"{name}/bias"] = np.zeros(outputs, np.float32)
        arrays[f"{name}/style_weight"] = normal(w_dim, inputs, fan_in=w_dim)
        arrays[f"{name}/style_bias"] = np.ones(inputs, np.float32)

    def noisy(name: str, inputs: int, outputs: int, size: int) -> None:
        styled(name, 3, inputs, outputs)
        arrays[f"{name}/noise"] = np.zeros((size, size), np.float32)

    for i in range(mapping_layers):
        dense(f"mapping/{i}", z_dim if i == 0 else w_dim, w_dim)
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
        arrays=arrays,
    )
    inputs = None
    for size in record.resolutions:
        outputs = min(2 * fmap_base // size, fmap_max)
        if inputs is None:
            arrays["const"] = normal(4, 4, outputs)
        else:
            noisy(f"{size}/conv0", inputs, outputs, size)
        noisy(f"{size}/conv1", outputs, outputs, size)
        styled(f"{size}/rgb", 1, outputs, 3)
        inputs = outputs
    return record
