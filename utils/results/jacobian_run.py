"""What compute_jacobian.py leaves behind, and has finished when it is stopped."""

import contextlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from dnnlib.containers.npy import NpyFile
from dnnlib.errors import InputError
from dnnlib.text import counted
from utils.cli.options import JacobianOptions, plain_options
from utils.cli.parser import say
from utils.files.names import JacobianNames
from utils.files.samples import SampleFile, find_samples
from utils.files.sidecar import JacobianFacts, read_facts, read_json, write_facts

# What may differ between the runs that make one file: it does not change a sample that is finished.
RESUMABLE_OPTIONS = (
    "restore_path",
    "output_dir",
    "total_num",
    "batch_size",
    "overwrite",
    "gpu_id",
    "latent_path",
)


def origin_of_jacobian(jaco_path: str | Path) -> dict[str, Any]:
    """What identifies a Jacobian, for the facts beside its directions: from those beside it, or
    else what the file system knows."""
    path = Path(jaco_path)
    facts = read_facts(path.with_suffix(".json"), JacobianFacts, "its seed and network are")
    if not facts:
        return {"jacobian": {"bytes": path.stat().st_size, "modified": path.stat().st_mtime_ns}}
    options = {
        name: value for name, value in facts.options.items() if name not in RESUMABLE_OPTIONS
    }
    return {
        "seed": facts.seed,
        "network_sha256": facts.network_sha256,
        "latents_sha256": facts.latents_sha256,
        "latent_space": facts.latent_space,
        "layers": facts.layers,
        "jacobian": {"options": options, "device": facts.device, "batch_size": facts.batch_size},
    }


class JacobianRun:
    """The Jacobian files of one output folder, which is locked for this run, and the facts beside
    them.

    While a run lasts, a partial file grows, and `w_dataset_{d_name}.npy.partial.json` holds the
    options, device and batch size that the remaining samples need, too. Whatever the moment at
    which it is killed, one of the two files of each space is there, with a header that counts its
    finished samples. What header, length and JSON file say must agree.
    """

    def __init__(
        self, options: JacobianOptions, network_hash: str, latents_hash: str | None = None
    ) -> None:
        """`latents_hash` is that of --latent_path.

        Raises InputError if the folder holds a Jacobian made with other options, or in which
        something is missing (unless --overwrite).
        """
        self.folder, self.batch_size = options.output_dir, options.batch_size
        self.names = JacobianNames(options.output_dir, options.d_name)
        self.spaces: tuple[str, ...] = ("w", "z") if options.compute_z else ("w",)
        self._asked_batch_size, self._asked_num = options.batch_size, options.codes.total_num
        self.facts = JacobianFacts.of_run(
            plain_options(options),
            seed=None if latents_hash else options.codes.seed,
            network_sha256=network_hash,
            latents_sha256=latents_hash,
        )
        self._outputs: dict[str, SampleFile] = {}
        self._previous: JacobianFacts | None = None
        self.is_complete = False
        if not options.overwrite:
            self._previous = self._read_previous()
            if not self.names.facts("w").exists() and self.names.facts("z").exists():
                self.spaces = ("z",)
            self.is_complete = self._is_finished() and self._has_enough_samples()

    def set_network(self, space: str, layers: Sequence[int]) -> None:
        """Say where directions of the network live, and on which layers its code is shifted: a
        network without w has one Jacobian, of z."""
        if space == "z":
            self.spaces = ("z",)
        self.facts = replace(self.facts, layers=list(layers))

    @property
    def count(self) -> int:
        """Number of finished samples."""
        return min(output.count for output in self._outputs.values())

    @property
    def previous_count(self) -> int:
        """Number of samples that an earlier run has recorded."""
        return (self._previous and self._previous.samples) or 0

    def _read_previous(self) -> JacobianFacts | None:
        """The facts of an earlier run. Raises InputError if they are none of the same options."""
        paths = self.names.unfinished_facts, self.names.facts("w"), self.names.facts("z")
        content = next(filter(None, map(read_json, paths)), None)
        if content is None:
            return None
        previous = JacobianFacts.from_json(content)
        for name, value in (("samples", previous.samples), ("batch_size", previous.batch_size)):
            if value is not None and (type(value) is not int or value < 1):
                raise InputError(
                    f"{self.folder} holds a Jacobian with {name} {str(value)[:80]} in its JSON "
                    "file; expected a whole number: --overwrite, or choose another folder"
                )
        if changed := self._changed_since(previous):
            raise InputError(
                f"{self.folder} holds a Jacobian made with {', '.join(changed)}; expected the same "
                "options, to go on with it: choose another --output_dir or --d_name, or --overwrite"
            )
        return previous

    def _changed_since(self, previous: JacobianFacts) -> list[str]:
        """What an earlier run had otherwise."""
        options = previous.options
        changed = [
            f"--{name} {str(options.get(name))[:80]}"
            for name, value in self.facts.options.items()
            if name not in RESUMABLE_OPTIONS
            and options.get(name, None if name == "layers" else value) != value
        ]
        if previous.network_sha256 != self.facts.network_sha256:
            changed.append("another network")
        if previous.latents_sha256 != self.facts.latents_sha256:
            changed.append("other latent codes")
        if self._asked_batch_size not in (None, previous.batch_size):
            changed.append(f"--batch_size {str(previous.batch_size)[:80]}")
        return changed

    def _is_finished(self) -> bool:
        """Whether all spaces are in finished files. Raises InputError if a file is not what its
        JSON file says."""
        is_unfinished = self.names.unfinished_facts.exists()
        finished = [self._is_space_finished(space, is_unfinished) for space in self.spaces]
        return all(finished) and not is_unfinished

    def _is_space_finished(self, space: str, is_unfinished: bool) -> bool:
        path, found = self.names.jacobian(space), find_samples(self.names.jacobian(space))
        remedy = (
            "expected both as one run has left them: --overwrite makes them anew, or choose "
            "another folder"
        )
        if found and self._previous is None:
            raise InputError(
                f"{found} has no JSON file beside it that can be read and says how it was made; "
                f"{remedy}"
            )
        if is_unfinished or self._previous is None:  # a run was killed: only the header knows
            return False
        count, shape = self._previous.samples, self._previous.sample_shape
        if not found:
            raise InputError(
                f"{self.names.facts(space)} counts {count} samples, but {path.name} is not there; "
                f"{remedy}"
            )
        found_shape = _shape_of(found)
        if found_shape[:1] != (count,) or shape not in (None, list(found_shape[1:])):
            raise InputError(
                f"{found} has shape {list(found_shape)}, but its JSON file counts {count} "
                f"samples{f' of {str(shape)[:80]}' if shape else ''}; {remedy}"
            )
        return found == path

    def _has_enough_samples(self) -> bool:
        if self._previous and self._asked_num is None:
            is_of_all = self._previous.options.get("total_num") is None
            return bool(self._previous.complete) and is_of_all
        return self.previous_count >= (self._asked_num or 1)

    @contextlib.contextmanager
    def resumed(
        self,
        device: str,
        batch_size: int,
        sample_shapes: Mapping[str, tuple[int, ...]],
        total: int,
    ) -> Iterator[None]:
        """Open the files for `append`; at the end, also after Ctrl-C or on a full disk, give what
        is finished its name. The run is complete with `total` samples.

        Raises InputError if the samples so far were made on another device, or are of another shape
        than those of `sample_shapes`, by their space.
        """
        previous = self._previous
        if previous and previous.device not in (None, device):
            raise InputError(
                f"the finished samples of {self.folder} were made on "
                f"{str(previous.device)[:80]}; expected the same, not {device}: go on there, "
                "choose it by --gpu_id, or --overwrite"
            )
        if previous:
            self._expect_shapes(sample_shapes)
        self.batch_size = self.batch_size or (previous and previous.batch_size) or batch_size
        self.facts = replace(self.facts, device=device)
        try:
            for space in self.spaces:
                self._outputs[space] = SampleFile(
                    self.names.jacobian(space), resume=self._previous is not None
                )
            self._write_unfinished_facts()
            for output in self._outputs.values():
                output.keep(self.count)
            if self.count:
                finished = counted(self.count, "finished sample")
                say(f"going on after {finished} of {self.folder}")
            yield
        finally:
            self._finish(total)

    def _expect_shapes(self, sample_shapes: Mapping[str, tuple[int, ...]]) -> None:
        for space in self.spaces:
            if not (found := find_samples(self.names.jacobian(space))):
                continue
            count, *shape = _shape_of(found) or (0,)
            if count and shape != list(sample_shapes[space]):
                raise InputError(
                    f"{found} has samples of shape {shape}; expected "
                    f"{list(sample_shapes[space])}: --overwrite, or choose another folder"
                )

    def append(self, sample: Mapping[str, np.ndarray]) -> None:
        """Add the Jacobian of one sample with respect to each space."""
        for space, output in self._outputs.items():
            output.append(sample[space])

    def halve_batch(self) -> None:
        """Go on with half the batch, also in later runs."""
        self.batch_size = max((self.batch_size or 1) // 2, 1)
        say(f"not enough memory: going on with --batch_size {self.batch_size}")
        self._write_unfinished_facts()

    def _write_unfinished_facts(self) -> None:
        self.facts = replace(self.facts, batch_size=self.batch_size)
        write_facts(self.names.unfinished_facts, self.facts)

    def _finish(self, total: int) -> None:
        outputs = self._outputs
        count = self.count if len(outputs) == len(self.spaces) else 0
        try:
            for space, output in outputs.items() if count else ():
                output.keep(count)
                self._write_facts(space, output, count >= total)
                output.finish()
                number = f"{count} of {counted(total, 'sample')}"
                say(f"{output.path}: Jacobian of {number} with respect to {space}")
            if 0 < count < total:
                say(
                    "the same command goes on with the rest; the finished samples can be used as "
                    "they are"
                )
        finally:
            for output in outputs.values():
                output.close()
        if count or not any(output.partial.exists() for output in outputs.values()):
            self.names.unfinished_facts.unlink(missing_ok=True)

    def _write_facts(self, space: str, output: SampleFile, is_complete: bool) -> None:
        facts = replace(
            self.facts,
            latent_space=space,
            samples=output.count,
            complete=is_complete,
            sample_shape=list(output.sample_shape),
        )
        write_facts(self.names.facts(space), facts)


def _shape_of(path: Path) -> tuple[int, ...]:
    """That of the samples of an earlier run."""
    with NpyFile(path, "the samples of an earlier run", kinds="f") as samples:
        return samples.shape
