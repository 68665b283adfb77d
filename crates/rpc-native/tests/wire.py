"""A client and a server of the native protocol, written from docs/rpc-native.md alone."""

import hashlib
import json
import socket
import struct
import sys

HELLO, BIND, BOUND, CALL, MESSAGE, END, RETURN, CANCEL, CREDIT, PING, PONG, DRAIN, CLOSE = range(1, 14)
DEADLINE, TRACE, METADATA, LAST, ONEWAY, NOT_RUN = 1, 2, 4, 8, 16, 32
CONTRACT = """field calculator.v1.CalculatorAddRequest 1 = singular uint64 a
field calculator.v1.CalculatorAddRequest 2 = singular uint64 b
field calculator.v1.CalculatorCountRequest 1 = singular uint64 to
field calculator.v1.CalculatorNoteRequest 1 = singular string text
field google.protobuf.UInt64Value 1 = singular uint64 value
message calculator.v1.CalculatorAddRequest
message calculator.v1.CalculatorCountRequest
message calculator.v1.CalculatorNeverRequest
message calculator.v1.CalculatorNoteRequest
message google.protobuf.Empty
message google.protobuf.UInt64Value
method Add = unary calculator.v1.CalculatorAddRequest -> google.protobuf.UInt64Value
method Count = server-stream calculator.v1.CalculatorCountRequest -> google.protobuf.UInt64Value
method Never = unary calculator.v1.CalculatorNeverRequest -> google.protobuf.Empty
method Note = oneway calculator.v1.CalculatorNoteRequest -> google.protobuf.Empty
service calculator.v1.Calculator
"""
FINGERPRINT = hashlib.sha256(CONTRACT.encode()).digest()[:16]
WINDOW = 1 << 18


def method(name):
    """FNV-1a of a method's name."""
    value = 0x811C9DC5
    for byte in name.encode():
        value = ((value ^ byte) * 0x01000193) & 0xFFFFFFFF
    return value


class Wire:
    """Frames over a stream of bytes."""

    def __init__(self, stream):
        self.stream = stream
        self.send(HELLO, 0, 0, b"IPCR" + struct.pack("<HHIIII", 1, 0, 128, 4 << 20, WINDOW, 4 << 20))
        kind, _, _, payload = self.recv()
        assert kind == HELLO and payload[:4] == b"IPCR" and payload[4] == 1
        self.their_stream_credit, self.their_connection_credit = struct.unpack("<II", payload[16:24])

    def send(self, kind, flags, call, payload=b""):
        self.stream.sendall(struct.pack("<IBBHI", len(payload), kind, flags, 0, call) + payload)

    def exactly(self, length):
        data = b""
        while len(data) < length:
            part = self.stream.recv(length - len(data))
            if not part:
                raise EOFError
            data += part
        return data

    def recv(self):
        while True:
            length, kind, flags, zero, call = struct.unpack("<IBBHI", self.exactly(12))
            assert zero == 0
            payload = self.exactly(length)
            if kind == PING:
                self.send(PONG, 0, 0, payload)
            else:
                return kind, flags, call, payload


def call_frame(name, arguments, timeout_micros=None):
    head = struct.pack("<HHI", 1, 0, method(name))
    flags = LAST
    if timeout_micros is not None:
        flags |= DEADLINE
        head += struct.pack("<Q", timeout_micros)
    return flags, head + json.dumps(arguments).encode()


def client(path):
    stream = socket.socket(socket.AF_UNIX)
    stream.connect(path)
    wire = Wire(stream)
    wire.send(BIND, 0, 0, struct.pack("<HBB", 9, 2, 7) + FINGERPRINT + b"no.Such")
    assert wire.recv()[3][2] == 1, "no such service"
    wire.send(BIND, 0, 0, struct.pack("<HBB", 2, 2, 24) + bytes(16) + b"calculator.v1.Calculator")
    payload = wire.recv()[3]
    assert payload[2] == 2 and payload[4:].decode() == CONTRACT, "another contract, and its text"
    wire.send(BIND, 0, 0, struct.pack("<HBB", 1, 2, 24) + FINGERPRINT + b"calculator.v1.Calculator")
    kind, _, _, payload = wire.recv()
    assert (kind, payload[:3]) == (BOUND, b"\1\0\0")

    flags, payload = call_frame("Add", {"a": 2, "b": (1 << 64) - 1})
    wire.send(CALL, flags, 1, payload)
    kind, _, call, payload = wire.recv()
    assert (kind, call, payload) == (RETURN, 1, b"\x001"), payload

    flags, payload = call_frame("Nothing", {})
    wire.send(CALL, flags, 1, payload)
    _, flags, _, payload = wire.recv()
    assert payload[0] == 12 and flags & NOT_RUN, "UNIMPLEMENTED, and it did not run"

    flags, payload = call_frame("Add", {"a": "two"})
    wire.send(CALL, flags, 1, payload)
    assert wire.recv()[3][0] == 3, "INVALID_ARGUMENT"

    flags, payload = call_frame("Never", {}, 20_000)
    wire.send(CALL, flags, 1, payload)
    assert wire.recv()[3][0] == 4, "DEADLINE_EXCEEDED"

    flags, payload = call_frame("Never", {})
    wire.send(CALL, flags, 1, payload)
    wire.send(CANCEL, 0, 1)
    assert wire.recv()[3][0] == 1, "CANCELLED"

    flags, payload = call_frame("Note", {"text": "hello"})
    wire.send(CALL, flags | ONEWAY, 0, payload)

    flags, payload = call_frame("Count", {"to": 30_000})
    wire.send(CALL, flags, 1, payload)
    count = taken = 0
    while True:
        kind, _, call, payload = wire.recv()
        if kind == RETURN:
            break
        assert (kind, call, int(payload)) == (MESSAGE, 1, count)
        count += 1
        taken += 12 + len(payload)
        if taken > WINDOW // 2:
            wire.send(CREDIT, 0, 1, struct.pack("<I", taken))
            wire.send(CREDIT, 0, 0, struct.pack("<I", taken))
            taken = 0
    assert (count, payload[0]) == (30_000, 0)


class Server:
    """Answers one client; while a stream waits for credit, the other calls go on."""

    NAMES = {method(name): name for name in ("Add", "Count", "Note", "Never")}

    def __init__(self, wire):
        self.wire = wire
        # By call; 0 is the connection.
        self.credit = {0: wire.their_connection_credit}
        self.given_up = set()

    def turn(self):
        kind, flags, call, payload = self.wire.recv()
        if kind == BIND:
            good = payload[4:20] == FINGERPRINT and payload[2] == 2
            text = b"" if good else CONTRACT.encode()
            self.wire.send(BOUND, 0, 0, payload[:2] + bytes([0 if good else 2, 0]) + text)
        elif kind == CREDIT:
            if call in self.credit:
                self.credit[call] += struct.unpack("<I", payload)[0]
        elif kind == CANCEL:
            if call in self.credit:
                self.given_up.add(call)
            else:
                self.cancelled(call)
        elif kind == CALL:
            self.call(flags, call, payload)

    def cancelled(self, call):
        self.wire.send(RETURN, 0, call, b"\1" + struct.pack("<IHB", 0xFFFFFFFF, 0, 0))

    def call(self, flags, call, payload):
        name = self.NAMES[struct.unpack("<I", payload[4:8])[0]]
        at = 8 + (8 if flags & DEADLINE else 0) + (25 if flags & TRACE else 0)
        assert not flags & METADATA
        arguments = json.loads(payload[at:])
        if name == "Add":
            total = (arguments["a"] + arguments["b"]) & ((1 << 64) - 1)
            self.wire.send(RETURN, 0, call, b"\0" + str(total).encode())
        elif name == "Count":
            self.count(call, arguments["to"])

    def count(self, call, to):
        self.credit[call] = self.wire.their_stream_credit
        for number in range(to):
            payload = str(number).encode()
            while call not in self.given_up and min(self.credit[call], self.credit[0]) <= 0:
                self.turn()
            if call in self.given_up:
                break
            self.credit[call] -= 12 + len(payload)
            self.credit[0] -= 12 + len(payload)
            self.wire.send(MESSAGE, 0, call, payload)
        del self.credit[call]
        if call in self.given_up:
            self.given_up.remove(call)
            self.cancelled(call)
        else:
            self.wire.send(RETURN, 0, call, b"\0")


def server(path):
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(path)
    listener.listen()
    print("listening", flush=True)
    stream, _ = listener.accept()
    server = Server(Wire(stream))
    try:
        while True:
            server.turn()
    except EOFError:
        pass


{"client": client, "server": server}[sys.argv[1]](sys.argv[2])
