"""StyleGAN3-T with random weights and the published sizes: for benchmarks."""

import numpy as np
from scipy.signal import firwin

from dnnlib.families.stylegan3.record import StyleGAN3Record
from dnnlib.families.stylegan3.schedule import Schedule, ScheduleSettings

_CHANNEL_BASE, _CHANNEL_MAX, _W_DIM = 1 << 15, 512, 512


def random_stylegan3(resolution: int, seed: int = 1) -> StyleGAN3Record:
    """Configuration T, 14 layers, whose activations stay of the size of 1."""
    random = np.random.Generator(np.random.PCG64(seed))

    def normal(*shape: int, fan_in: int = 1) -> np.ndarray:
        return random.standard_normal(shape, np.float32) / np.float32(np.sqrt(fan_in))

    schedule = Schedule(ScheduleSettings(resolution=resolution), [3] * 14 + [1])
    channels = [
        int(np.rint(min(_CHANNEL_BASE / 2 / cutoff, _CHANNEL_MAX))) for cutoff in schedule.cutoffs
    ]
    inputs = channels[0]
    arrays: dict[str, np.ndarray] = {
        "w_avg": np.zeros(_W_DIM, np.float32),
        "input/weight": normal(inputs, inputs),
        "input/frequencies": normal(inputs, 2) * np.float32(schedule.cutoffs[0] / 2),
        "input/phases": random.random(inputs, np.float32),
        "input/transform": np.eye(3, dtype=np.float32),
        "input/style_weight": normal(_W_DIM, 4, fan_in=100 * _W_DIM),
        "input/style_bias": np.array([1, 0, 0, 0], np.float32),
    }
    for i in range(2):
        arrays[f"mapping/{i}/weight"] = normal(_W_DIM, _W_DIM, fan_in=_W_DIM)
        arrays[f"mapping/{i}/bias"] = np.zeros(_W_DIM, np.float32)
    for i, outputs in enumerate([*channels[:-1], 3]):
        kernel = 1 if i == 14 else 3
        arrays[f"{i}/weight"] = normal(kernel, kernel, inputs, outputs)
        arrays[f"{i}/bias"] = np.zeros(outputs, np.float32)
        arrays[f"{i}/style_weight"] = normal(_W_DIM, inputs, fan_in=_W_DIM)
        arrays[f"{i}/style_bias"] = np.ones(inputs, np.float32)
        arrays[f"{i}/gain"] = np.asarray(1 if i < 14 else 0.1, np.float32)
        for name, taps in zip(("up", "down"), schedule.taps[i], strict=True):
            if taps > 1:
                arrays[f"{i}/{name}_filter"] = firwin(taps, 6 / taps).astype(np.float32)
        inputs = outputs
    return StyleGAN3Record(
        z_dim=_W_DIM,
        w_dim=_W_DIM,
        label_dim=0,
        resolution=resolution,
        num_channels=3,
        mapping_layers=2,
        input_size=(schedule.sizes[0], schedule.sizes[0]),
        input_rate=schedule.rates[0],
        input_bandwidth=schedule.cutoffs[0],
        output_scale=0.25,
        filterings=schedule.filterings(256.0),
        arrays=arrays,
    )
