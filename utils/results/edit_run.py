"""The walk of manipulate.py: from edits to all that is written of them."""

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np

from dnnlib.progress import ProgressBar
from dnnlib.text import spans_text
from utils.cli.edit_options import EditOptions
from utils.editing.strength import PROBES, Probe, measure_strengths, with_strength
from utils.editing.walk import Edit, Walker, edited_codes, images_in_batches
from utils.files.sidecar import ResultFacts
from utils.results.contact_sheet import sheet_names, write_contact_sheets
from utils.results.edit_results import EditResults, Subject, result_names

Synthesis = Callable[[np.ndarray], np.ndarray]


def names_written(options: EditOptions, edits: Sequence[Edit], samples: int) -> list[str]:
    """The names of all that `write_edits` puts into its folder, but the page's and its numbers'."""
    if options.contact_sheet:
        return sheet_names(edits, options.name)
    return list(result_names(edits, samples, options.name, options.save_raw, options.animate))


def write_edits(
    synthesis: Synthesis,
    batch_size: int,
    options: EditOptions,
    walker: Walker,
    edits: list[Edit],
    facts: ResultFacts,
    folder: Path,
) -> None:
    """Walk along all edits, as far as asked for, and write what is to be seen of them.

    `synthesis` makes images [N, H, W, C] of codes [N, L, D], `batch_size` at once; `facts` are
    recorded. Raises InputError if a distance is asked for and an edit has no region.
    """
    samples = len(walker.codes)
    unknown = [edit for edit in edits if edit.finds_distance]
    if unknown:
        few = walker if options.contact_sheet else walker.first(PROBES)
        probe = Probe(synthesis, batch_size, few)
        effects = measure_strengths(probe, unknown, options.change)
        if options.contact_sheet:
            record = folder / options.record
            write_contact_sheets(record, options.name, probe.originals, effects, facts)
            return
        found = iter([with_strength(edit, effect) for edit, effect in effects])
        edits = [next(found) if edit.finds_distance else edit for edit in edits]
    seed = options.codes.seed
    layers = " or ".join(dict.fromkeys(spans_text(edit.layers or ()) for edit in edits))
    subject = Subject(
        network=Path(options.restore_path).stem,
        codes=options.codes.latent_path or f"random, seed {seed}",
        edit=f"{'z' if edits[0].in_z else 'w'} + distance × direction on layers {layers}",
    )
    total = options.images_shown(samples, len(edits))
    results = EditResults(
        folder, edits, samples, options.name, facts, subject, options.save_raw, options.animate
    )
    with results, ProgressBar(total=total, desc="editing", unit="image") as bar:
        for images in images_in_batches(synthesis, edited_codes(walker, edits), batch_size):
            results.add(images)
            bar.update(len(images))
