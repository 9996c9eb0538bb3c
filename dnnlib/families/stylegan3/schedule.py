"""How the layers of a StyleGAN3 resample, of its settings: appendix F of Karras et al. 2021."""

import math
from dataclasses import dataclass

import numpy as np

from dnnlib.containers.named_arrays import MOST_TAPS
from dnnlib.containers.safe_pickle import brief
from dnnlib.errors import InputError
from dnnlib.families.stylegan3.record import Filtering
from dnnlib.record import MAX_RESOLUTION


@dataclass(frozen=True)
class ScheduleSettings:
    """The program's, with its defaults."""

    resolution: int | None = None  # 1024
    num_layers: int = 14
    num_critical: int = 2
    first_cutoff: float = 2.0
    first_stopband: float = 2**2.1
    last_stopband_rel: float = 2**0.3
    margin_size: int = 10
    filter_size: int = 6
    act_upsampling: int = 2


class Schedule:
    """Cutoffs, rates and sizes after each layer, the last to RGB; `taps` of its two filters, up and
    down, 1 where there is none."""

    def __init__(self, settings: ScheduleSettings, kernels: list[int]) -> None:
        """`kernels` are the sizes of the convolutions. Raises InputError if a setting is out of
        range."""
        resolution = self.resolution = settings.resolution or 1024
        numbers = (settings.first_cutoff, settings.first_stopband, settings.last_stopband_rel)
        counts = (settings.margin_size, settings.filter_size, settings.act_upsampling)
        last = len(kernels) - 1
        if (
            not 8 <= resolution <= MAX_RESOLUTION
            or not all(0 < number < math.inf for number in numbers)
            or not all(0 < count <= MOST_TAPS for count in counts)
            or not 0 <= settings.num_critical < last
        ):
            raise InputError(
                f"its settings of the layers are {brief(settings)}; expected those of a StyleGAN3"
            )
        exponents = np.minimum(np.arange(last + 1) / (last - settings.num_critical), 1)
        start, stop = settings.first_cutoff, resolution / 2
        self.cutoffs = (start * (stop / start) ** exponents).tolist()
        start, stop = settings.first_stopband, stop * settings.last_stopband_rel
        stopbands = start * (stop / start) ** exponents
        rates = np.exp2(np.ceil(np.log2(np.minimum(stopbands * 2, resolution))))
        self.rates = rates.astype(int).tolist()
        self.sizes = [rate + 2 * settings.margin_size for rate in self.rates]
        self.sizes[-2:] = [resolution, resolution]
        self.taps: list[tuple[int, int]] = []
        self._factors: list[tuple[int, int]] = []
        self._borders: list[tuple[int, int]] = []
        for i, kernel in enumerate(kernels):
            self._add_layer(i, settings, kernel)

    def _add_layer(self, i: int, settings: ScheduleSettings, kernel: int) -> None:
        before, is_last = max(i - 1, 0), i == len(self.rates) - 1
        upsampling = 1 if is_last else settings.act_upsampling
        middle = upsampling * max(self.rates[before], self.rates[i])
        up, down = middle // self.rates[before], middle // self.rates[i]
        taps_up, taps_down = (
            settings.filter_size * factor if factor > 1 and not is_last else 1
            for factor in (up, down)
        )
        total = (self.sizes[i] - 1) * down + 1 - (self.sizes[before] + kernel - 1) * up
        total += taps_up + taps_down - 2
        low = (total + up) // 2
        self.taps.append((taps_up, taps_down))
        self._factors.append((up, down))
        self._borders.append((low, total - low))

    def filterings(self, clamp: float | None) -> tuple[Filtering, ...]:
        """Of each layer."""
        last = len(self.taps) - 1
        clamp = None if clamp is None else float(clamp)
        pairs = enumerate(zip(self._factors, self._borders, strict=True))
        return tuple(
            Filtering(up, down, (low, high, low, high), clamp, i == last)
            for i, ((up, down), (low, high)) in pairs
        )
