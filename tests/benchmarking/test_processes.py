import subprocess
import sys

import numpy as np

CODE = "from tfrespam.studies.benchmarking import processes; print(processes._peak_megabytes())"


def test_peak_memory_excludes_the_parent_process():
    held = np.ones(1000 << 20 >> 3)  # memory of this process while it starts the other one
    answer = subprocess.run([sys.executable, "-c", CODE], check=True, capture_output=True, text=True)
    assert held.nbytes >> 20 == 1000 and 5 < float(answer.stdout) < 600
