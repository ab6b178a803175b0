"""What PyTorch's distributed data parallel over gloo makes of the machine at this hour: steps of one process and of several, in turn, each with one thread.

Its network is convolutions of about as many parameters as cluster-step's, and its steps take about as long. Run it with an interpreter that has torch:
    python3 tests/Benchmarks/gloo.py --processes 2 --turns 3
"""
import argparse
import json
import os
import socket
import statistics
import time

import torch
from torch import distributed, multiprocessing, nn

WARM_UP = 5
BATCH = 8


def train(rank, processes, steps, port, results):
    os.environ.update(MASTER_ADDR="127.0.0.1", MASTER_PORT=str(port))
    torch.set_num_threads(1)
    torch.manual_seed(0)
    layers = [nn.Conv2d(1, 64, 3, padding=1)]
    for _ in range(15):
        layers += [nn.ELU(), nn.Conv2d(64, 64, 3, padding=1)]
    network = nn.Sequential(*layers).to(memory_format=torch.channels_last)
    if processes > 1:
        distributed.init_process_group("gloo", rank=rank, world_size=processes)
        network = nn.parallel.DistributedDataParallel(network)
    optimizer = torch.optim.Adam(network.parameters(), 1e-4)
    images = torch.randn(BATCH, 1, 20, 20).to(memory_format=torch.channels_last)
    seconds = []
    for _ in range(WARM_UP + steps):
        start = time.perf_counter()
        optimizer.zero_grad(set_to_none=True)
        network(images).square().mean().backward()
        optimizer.step()
        seconds.append(time.perf_counter() - start)
    if rank == 0:
        results.put(processes * BATCH / statistics.median(seconds[WARM_UP:]))


def images_per_s(processes, steps):
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    results = multiprocessing.get_context("spawn").SimpleQueue()
    multiprocessing.spawn(train, (processes, steps, port, results), nprocs=processes)
    return results.get()


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--processes", type=int, default=2)
    parser.add_argument("--steps", type=int, default=40, help="steps of each run")
    parser.add_argument("--turns", type=int, default=3, help="runs of each kind")
    options = parser.parse_args()
    pairs = [(images_per_s(1, options.steps), images_per_s(options.processes, options.steps)) for _ in range(options.turns)]
    speedups = [together / lone for lone, together in pairs]
    print(json.dumps({
        "processes": options.processes,
        "images_per_s_of_one": statistics.median(lone for lone, _ in pairs),
        "images_per_s": statistics.median(together for _, together in pairs),
        "speedup": statistics.median(speedups),
        "speedups": speedups,
    }))
