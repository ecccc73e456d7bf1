"""RandomX as a miner runs it, for tools/train-miner: THREADS SECONDS SHARE light|fast [SLICE].

The hash is the reference implementation's (the library of tevador/RandomX 1.1.10, with its just-in-time compiler), from the
Python package openssl-encrypt-randomx. Each thread has a machine of its own; SHARE is how many percent of each SLICE (in
seconds, 0.2 when not given) it computes. `fast` builds the dataset of 2 GiB first, as miners do: half a minute and 2.3 GiB
for each thread, since the package shares none between machines. SECONDS count from then.
"""

import sys
import threading
import time

import randomx_native

THREADS, SECONDS, SHARE = (int(word) for word in sys.argv[1:4])
FAST = sys.argv[4] == "fast"
SLICE = float(sys.argv[5]) if len(sys.argv) > 5 else 0.2


def mine(machine, end):
    nonce = 0
    while time.monotonic() < end:
        begin = time.monotonic()
        while time.monotonic() < begin + SLICE * SHARE / 100:
            machine.calculate_hash(b"block" + nonce.to_bytes(8, "little"))
            nonce += 1
        if SHARE < 100:
            # a hash takes some hundredths of a second, so the slice is as long as it was, and so is the rest
            time.sleep((time.monotonic() - begin) * (100 - SHARE) / SHARE)


# W^X would change the pages' rights for every program of the machine; miners do without
machines = [randomx_native.RandomX(b"a key", full_mem=FAST, secure=False) for _ in range(THREADS)]
end = time.monotonic() + SECONDS
threads = [threading.Thread(target=mine, args=(machine, end)) for machine in machines]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
