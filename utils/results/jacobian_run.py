"""What compute_jacobian.py has finished, so that a run that was stopped can go on."""

import argparse
import contextlib
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from dnnlib.errors import InputError
from utils.cli.parser import say
from utils.files import arrays as files

# What may differ between the runs that make one file: it does not change a sample that is finished.
FREE_OPTIONS = (
    "restore_path",
    "output_dir",
    "total_num",
    "batch_size",
    "overwrite",
    "gpu_id",
    "latent_path",
)


class Progress:
    """The Jacobian files of one output folder, which is locked for this run, and the facts beside
    them.

    While a run lasts, a partial file grows and `..npy.partial.json` holds the options, device and
    batch size that the remaining samples need, too. Whatever the moment at which it is killed, one
    of the two files of each space is there, with a header that counts its finished samples. What
    header, length and JSON file say must agree.
    """

    def __init__(
        self, options: argparse.Namespace, network_hash: str, latents_hash: str | None = None
    ) -> None:
        """`latents_hash` is that of --latent_path; options.total_num None stands for all of its
        codes.

        Raises InputError if the folder holds a Jacobian made with other options, or in which
        something is missing (unless --overwrite).
        """
        self.options, self.batch_size = options, options.batch_size
        self.spaces = ("w", "z") if options.compute_z else ("w",)
        self.facts_path = self.path("w").with_suffix(".npy.partial.json")
        self.facts = files.provenance(
            vars(options),
            seed=None if latents_hash else options.seed,
            network_sha256=network_hash,
            latents_sha256=latents_hash,
        )
        self.outputs: dict[str, files.SampleFile] = {}
        self.previous, self.complete = None, False
        if options.overwrite:
            return
        self.previous = files.read_json(self.facts_path) or files.read_json(
            self.path("w").with_suffix(".json")
        )
        if self.previous is not None:
            for name in ("samples", "batch_size"):
                if (value := self.previous.get(name)) is not None and (
                    type(value) is not int or value < 1
                ):
                    raise InputError(
                        f"{self.options.output_dir} holds a Jacobian with {name} {str(value)[:80]} "
                        "in its JSON file; expected a whole number: --overwrite, or choose another "
                        "folder"
                    )
            self._expect_same_options()
        finished = self._expect_samples_as_recorded()
        self.complete = finished and self._has_enough_samples()

    def path(self, space: str) -> Path:
        return self.options.output_dir / f"{space}_dataset_{self.options.d_name}.npy"

    def _expect_same_options(self) -> None:
        previous = self.previous.get("options", {})
        changed = [
            f"--{name} {str(previous.get(name))[:80]}"
            for name, value in self.facts["options"].items()
            if name not in FREE_OPTIONS and previous.get(name, value) != value
        ]
        if self.previous.get("network_sha256") != self.facts["network_sha256"]:
            changed.append("another network")
        if self.previous.get("latents_sha256") != self.facts["latents_sha256"]:
            changed.append("other latent codes")
        if self.options.batch_size not in (None, self.previous.get("batch_size")):
            changed.append(f"--batch_size {str(self.previous.get('batch_size'))[:80]}")
        if changed:
            raise InputError(
                f"{self.options.output_dir} holds a Jacobian made with {', '.join(changed)}; "
                "expected the same options, to go on with it: choose another --output_dir or "
                "--d_name, or --overwrite"
            )

    def _expect_samples_as_recorded(self) -> bool:
        """Whether all spaces are in finished files. Raises InputError if a file is not what its
        JSON file says."""
        finished = [self._expect_space_as_recorded(space) for space in self.spaces]
        return all(finished) and not self.facts_path.exists()

    def _expect_space_as_recorded(self, space: str) -> bool:
        path, found = self.path(space), files.find_samples(self.path(space))
        remedy = (
            "expected both as one run has left them: --overwrite makes them anew, or choose "
            "another folder"
        )
        if found and self.previous is None:
            raise InputError(
                f"{found} has no JSON file beside it that says how it was made; {remedy}"
            )
        if (
            self.facts_path.exists() or self.previous is None
        ):  # a run was killed: only the header knows
            return False
        count, shape = self.previous.get("samples"), self.previous.get("sample_shape")
        if not found:
            raise InputError(
                f"{path.with_suffix('.json')} counts {count} samples, but {path.name} is not "
                f"there; {remedy}"
            )
        with files.NpyFile(found, "the samples of an earlier run", kinds="f") as samples:
            if samples.shape[:1] != (count,) or (
                shape is not None and list(samples.shape[1:]) != shape
            ):
                raise InputError(
                    f"{found} has shape {list(samples.shape)}, but its JSON file counts {count} "
                    f"samples{f' of {str(shape)[:80]}' if shape else ''}; {remedy}"
                )
        return found == path

    def _has_enough_samples(self) -> bool:
        if self.options.total_num is None:
            return (
                self.previous.get("complete")
                and self.previous.get("options", {}).get("total_num") is None
            )
        return (self.previous.get("samples") or 0) >= self.options.total_num

    @property
    def count(self) -> int:
        """Number of finished samples."""
        return min(output.count for output in self.outputs.values())

    @contextlib.contextmanager
    def resumed(
        self, device: str, batch_size: int, sample_shapes: dict[str, tuple[int, ...]]
    ) -> Iterator[None]:
        """Open the files for `append`; at the end, also after Ctrl-C or on a full disk, give what
        is finished its name.

        Raises InputError if the samples so far were made on another device, or are of another shape
        than those of `sample_shapes`, by their space.
        """
        previous = self.previous or {}
        if previous.get("device", device) != device:
            raise InputError(
                f"the finished samples of {self.options.output_dir} were made on "
                f"{str(previous['device'])[:80]}; expected the same, not {device}: choose it by "
                "--gpu_id, or --overwrite"
            )
        if previous:
            self._expect_shapes(sample_shapes)
        self.batch_size = self.batch_size or previous.get("batch_size") or batch_size
        self.facts["device"] = device
        try:
            for space in self.spaces:
                self.outputs[space] = files.SampleFile(
                    self.path(space), resume=self.previous is not None
                )
            self._write_facts()
            for output in self.outputs.values():
                output.keep(self.count)
            if self.count:
                say(
                    f"going on after the {self.count} finished samples of {self.options.output_dir}"
                )
            yield
        finally:
            self._finish()

    def _expect_shapes(self, sample_shapes: dict[str, tuple[int, ...]]) -> None:
        for space in self.spaces:
            if not (found := files.find_samples(self.path(space))):
                continue
            with files.NpyFile(found, "the samples of an earlier run", kinds="f") as samples:
                if samples.shape[0] and samples.shape[1:] != sample_shapes[space]:
                    raise InputError(
                        f"{found} has samples of shape {list(samples.shape[1:])}; expected "
                        f"{list(sample_shapes[space])}: --overwrite, or choose another folder"
                    )

    def append(self, sample: dict[str, np.ndarray]) -> None:
        """Add the Jacobian of one sample with respect to each space."""
        for space, output in self.outputs.items():
            output.append(sample[space])

    def halve_batch(self) -> None:
        """Go on with half the batch, also in later runs."""
        self.batch_size = max(self.batch_size // 2, 1)
        say(f"not enough memory: going on with --batch_size {self.batch_size}")
        self._write_facts()

    def _write_facts(self) -> None:
        self.facts["batch_size"] = self.batch_size
        files.write_json(self.facts_path, self.facts)

    def _finish(self) -> None:
        count = self.count if len(self.outputs) == len(self.spaces) else 0
        total = self.options.total_num
        try:
            for space, output in self.outputs.items() if count else ():
                output.keep(count)
                facts = self.facts | {
                    "latent_space": space,
                    "samples": count,
                    "complete": count >= total,
                    "sample_shape": output.sample_shape,
                }
                files.write_json(output.path.with_suffix(".json"), facts)
                output.finish()
                say(
                    f"{output.path}: Jacobian of {count} of {total} samples with respect to {space}"
                )
            if count < total and count:
                say(
                    "the same command goes on with the rest; the finished samples can be used as "
                    "they are"
                )
        finally:
            for output in self.outputs.values():
                output.close()
        if count or not any(output.partial.exists() for output in self.outputs.values()):
            self.facts_path.unlink(missing_ok=True)
