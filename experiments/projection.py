"""How the time of an epoch might fall with the number of devices: arithmetic on a measured step, not a measurement.

    python experiments/projection.py --write docs/explanation/distributed.md \
      experiments/results/benchmarks/respam_unet-0.25-128.json

A step on n devices takes the device's share of the measured step, in proportion to its images, and then a ring
all-reduce of all gradients, 2 (n - 1) / n times their bytes through each device's link, which overlaps with nothing.
Left out: starting a step, waiting for the slowest, batch statistics, reading data, and that small batches use a device
worse. So real times are longer than these.
"""

import argparse
import json
import re
from pathlib import Path

from tfrespam.core.files import whole_file

COUNTS = (1, 2, 4, 8, 16, 32, 64)
LINKS = {"10 Gbit/s": 1.25e9, "100 Gbit/s": 12.5e9}  # bytes a second, assumed


def step_seconds(compute: float, parameters: int, devices: int, link: float, share: float) -> float:
    """Seconds of a step when each of `devices` computes `share` of the measured step (`compute`)."""
    all_reduce = 2 * (devices - 1) / devices * 4 * parameters / link
    return compute * share + all_reduce


def rows(results: dict, examples: int) -> list[list[str]]:
    """One row per number of devices: minutes of an epoch for each way to share a step and each link."""
    model = results["model"]
    compute = results["speed"]["training step"]["paths"]["TensorFlow"]["median"]
    table = []
    for devices in COUNTS:
        row = [str(devices)]
        for link in LINKS.values():
            same_step = step_seconds(compute, model["parameters"], devices, link, 1 / devices)
            larger_step = step_seconds(compute, model["parameters"], devices, link, 1)
            steps = examples / model["batch_size"]
            shared = f"{same_step * steps / 60:.2f}" if devices <= model["batch_size"] else "-"
            row += [shared, f"{larger_step * steps / devices / 60:.2f}"]
        table.append(row)
    return table


def markdown(results: dict, source: str, examples: int) -> str:
    model = results["model"]
    compute = results["speed"]["training step"]["paths"]["TensorFlow"]["median"]
    head = (f"**A projection, not a measurement.** From {source}: {model['name']}, width {model['width']:g}, "
            f"{model['image_size']} px, a step of {model['batch_size']} images in {1e3 * compute:.0f} ms on "
            f"{results['machine']} (load {results['load_before']:.1f} before the measurement), "
            f"{model['parameters']:,} parameters = {4e-6 * model['parameters']:.1f} MB of gradients. Minutes of an "
            f"epoch of {examples:,} examples:\n\n")
    columns = ["devices"] + [f"{link}, {kind}" for link in LINKS for kind in ("same step", "same work per device")]
    lines = ["| " + " | ".join(line) + " |" for line in (columns, ["---:"] * len(columns), *rows(results, examples))]
    return head + "\n".join(lines) + "\n"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("benchmark", type=Path, help="JSON file of python -m tfrespam.benchmark")
    parser.add_argument("--examples", type=int, default=1318, help="examples of an epoch (CBIS-DDSM's training masses)")
    parser.add_argument("--write", type=Path, help="page whose text between the projection's marks is replaced")
    options = parser.parse_args()
    text = markdown(json.loads(options.benchmark.read_text()), options.benchmark.name, options.examples)
    print(text)
    if options.write:
        page = options.write.read_text(encoding="utf-8")
        marks = r"(<!-- projection -->\n).*(<!-- end -->)"
        changed, count = re.subn(marks, lambda m: m[1] + text + m[2], page, flags=re.DOTALL)
        if not count:
            parser.error(f"{options.write} has no text between <!-- projection --> and <!-- end -->")
        with whole_file(options.write) as temporary:
            temporary.write_text(changed, encoding="utf-8")


if __name__ == "__main__":
    main()
