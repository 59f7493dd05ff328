import subprocess
import sys

import numpy as np

ASK = "from tfrespam.benchmarking import processes; print(processes._peak_megabytes())"


def test_the_peak_is_the_processes_own_and_not_what_its_parent_held():
    held = np.ones(1000 << 20 >> 3)  # what this process holds while it starts the other
    answer = subprocess.run([sys.executable, "-c", ASK], check=True, capture_output=True, text=True)
    assert held.nbytes >> 20 == 1000 and 5 < float(answer.stdout) < 600
