"""Client and server of gRPC's interoperation cases on grpcio, started by `cargo xtask interop grpc`.

A server says `listening PORT`, before it what it cannot do, and ends with its standard input.
A client says one line a case: its name, `ok`, `part`, `n/a` or `failed`, and why.

    interop.py server plain|tls|mtls CERTIFICATES
    interop.py client plain|tls|mtls CERTIFICATES PORT CASE,... ROUNDS
"""

import os
import sys

from cases import run
from server import serve


def main(words):
    role, security, certificates, *rest = words
    if role == "server":
        return serve(security, certificates)
    port, cases, rounds = rest[:3]
    for case in cases.split(","):
        print(f"{case}\t{run(case, security, certificates, port, int(rounds))}", flush=True)
    sys.stdout.flush()
    # A thread of a channel that was left open must not keep the process.
    os._exit(0)


if __name__ == "__main__":
    main(sys.argv[1:])
