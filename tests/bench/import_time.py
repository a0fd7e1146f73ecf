"""What ``import vqlab`` adds to ``import torch``, in fresh processes: ``python tests/bench/import_time.py``"""

import statistics
import subprocess
import sys

CODE = "import time, torch; start = time.perf_counter(); import vqlab; print(time.perf_counter() - start)"


def main():
    seconds = [float(subprocess.run([sys.executable, "-c", CODE], capture_output=True, text=True, check=True).stdout)
               for _ in range(6)]
    print(f"import vqlab after import torch: median {statistics.median(seconds[1:]) * 1e3:.0f} ms "
          f"of {len(seconds) - 1} (first, cold: {seconds[0] * 1e3:.0f} ms)")


if __name__ == "__main__":
    main()
