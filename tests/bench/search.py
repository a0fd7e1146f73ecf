"""nearest_code against its peers, as ratios within one run: ``python tests/bench/search.py``

Median of several runs after a warm-up, alternating, on this machine's cores. The sizes are those of the lessons; the
peers are not exact (see lesson 1), and the seed's formula holds N × K numbers at once.
"""

import statistics
import time

import torch

from vqlab import nearest_code

PEERS = {
    "seed formula": lambda z, e: (z.square().sum(1, keepdim=True) + e.square().sum(1) - 2 * z @ e.T).argmin(1),
    "torch.cdist": lambda z, e: torch.cdist(z, e).argmin(1),
    "one addmm": lambda z, e: torch.addmm(e.square().sum(1), z, e.T, alpha=-2).argmin(1),
}


def main():
    for n, k, d, runs in [(4096, 512, 8, 15), (4096, 512, 64, 15), (16384, 1024, 64, 7), (65536, 8192, 32, 3)]:
        z, e = (torch.randn(rows, d, generator=torch.Generator().manual_seed(rows)) for rows in (n, k))
        seconds = {name: [] for name in ["nearest_code", *PEERS]}
        for run in range(runs + 1):
            for name in seconds:
                function = PEERS.get(name, nearest_code)
                start = time.perf_counter()
                function(z, e)
                if run:  # the first warms up
                    seconds[name].append(time.perf_counter() - start)
        median = {name: statistics.median(times) for name, times in seconds.items()}
        print(f"N = {n}, K = {k}, D = {d}: nearest_code {median['nearest_code'] * 1e3:.1f} ms; "
              + ", ".join(f"{name} takes {median[name] / median['nearest_code']:.2f} × as long" for name in PEERS))


if __name__ == "__main__":
    main()
