"""Times one variant's training step on the batches that bench/step.ts wrote; prints one JSON object.

    python time_steps.py DIRECTORY --variant eager|best [--threads N] [--seconds S] [--compiled]

Goes through the batches again and again; `total` holds the times of each batch,
`processor` the processor time of a step, all threads together, in the mean. A step is counted from the padded rows to updated parameters. Files are read, and what the authors' data loader does in
processes of its own is done, before the clock starts. Knows clocks; does not know the model.
"""

import argparse
import json
import time
from pathlib import Path

import torch

from batches import read_workload
from best import BestStep
from eager import EagerStep


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("directory", type=Path)
    parser.add_argument("--variant", choices=("eager", "best"), required=True)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--compiled", action="store_true")
    options = parser.parse_args()
    torch.manual_seed(1)
    torch.set_num_threads(options.threads)
    settings, catalogue, batches = read_workload(options.directory)
    if options.variant == "eager":
        contender = EagerStep(settings, catalogue)
    else:
        contender = BestStep(settings, catalogue, compiled=options.compiled)
    contender.model.train()
    def timed(batch) -> tuple[float, float, float]:
        prepared = contender.prepare(batch)
        start, processor = time.perf_counter(), time.process_time()
        loss = contender.step(prepared).total
        return 1000 * (time.perf_counter() - start), 1000 * (time.process_time() - processor), loss.item()

    # Warm-up: eager's steps are all of one size; best's differ, and compiling takes a few of them.
    for batch in batches if options.compiled else batches[:2]:
        timed(batch)
    times, processors, losses, begun = [[] for _ in batches], [], [], time.perf_counter()
    for count in range(10 * len(batches)):
        must_go_on = count < (3 if options.variant == "eager" else len(batches))
        if not must_go_on and time.perf_counter() - begun > options.seconds:
            break
        elapsed, processor, loss = timed(batches[count % len(batches)])
        times[count % len(batches)].append(elapsed)
        processors.append(processor)
        losses.append(loss)
    processor = sum(processors) / len(processors)
    print(json.dumps({"total": times, "processor": processor, "losses": losses, "torch": torch.__version__}))


if __name__ == "__main__":
    main()
