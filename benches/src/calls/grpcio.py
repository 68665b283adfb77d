# A client of bench.v1.Echo by grpcio: told on its standard input what to call, and how often.
import collections
import sys
import time

import grpc

OPTIONS = [
    # Of a path it would make a name that HTTP/2 libraries refuse.
    ("grpc.default_authority", "localhost"),
    ("grpc.max_receive_message_length", -1),
    ("grpc.max_send_message_length", -1),
]


def varint(number):
    out = bytearray()
    while number > 127:
        out.append(number & 127 | 128)
        number >>= 7
    out.append(number)
    return bytes(out)


def wrap(message):
    return b"\x0a" + varint(len(message)) + message if message else b""


def unwrap(data):
    if not data:
        return b""
    at = 1
    while data[at] & 128:
        at += 1
    return data[at + 1 :]


def stamped(size, number):
    if size < 8:
        return bytes([number & 255]) * size
    return number.to_bytes(8, "little") + b"\x01" * (size - 8)


def check(answer, size, number):
    if len(answer) != size or answer[:8] != stamped(size, number)[:8]:
        raise ValueError(f"another answer than to {number}")


class Client:
    def __init__(self, target):
        channel = grpc.insecure_channel(target, options=OPTIONS)
        grpc.channel_ready_future(channel).result(timeout=10)

        def method(kind, name, answer=unwrap):
            return getattr(channel, kind)(name, wrap, answer)

        self.call = method("unary_unary", "/bench.v1.Echo/Echo")
        self.given = method("unary_stream", "/bench.v1.Echo/Give")
        # Its answer is a number: what follows the tag.
        take = "/bench.v1.Intake/Take"
        self.take = method("stream_unary", take, lambda data: data[1:])
        self.relay = method("stream_stream", "/bench.v1.Intake/Relay")

    def one(self, size, first, count, _):
        laps = []
        for number in range(first, first + count):
            began = time.perf_counter_ns()
            check(self.call(stamped(size, number)), size, number)
            laps.append(time.perf_counter_ns() - began)
        return laps

    def many(self, size, first, count, under_way):
        waiting = collections.deque()
        for number in range(first, first + count):
            if len(waiting) == under_way:
                self.take_one(waiting, size)
            waiting.append((self.call.future(stamped(size, number)), number))
        while waiting:
            self.take_one(waiting, size)
        return []

    def take_one(self, waiting, size):
        future, number = waiting.popleft()
        check(future.result(), size, number)

    def rate(self, size, first, count, every_ns):
        laps, calls = [], []
        due = time.perf_counter_ns()
        for number in range(first, first + count):
            while time.perf_counter_ns() < due:
                pass
            future = self.call.future(stamped(size, number))
            at = due
            future.add_done_callback(
                lambda _, at=at: laps.append(time.perf_counter_ns() - at)
            )
            calls.append((future, number))
            due += every_ns
        for future, number in calls:
            check(future.result(), size, number)
        while len(laps) < count:
            time.sleep(0)
        return laps

    def stream(self, size, first, count, _):
        taken = self.take(stamped(size, first + at) for at in range(count))
        if taken != varint(count):
            raise ValueError(f"{taken} of {count} messages were taken")
        return []

    def both(self, size, first, count, _):
        messages = (stamped(size, first + at) for at in range(count))
        self.expect(self.relay(messages), size, first, count)
        return []

    def receive(self, size, first, count, _):
        order = first.to_bytes(8, "little") + count.to_bytes(4, "little")
        order += size.to_bytes(8, "little")
        self.expect(self.given(order), size, first, count)
        return []

    def expect(self, answers, size, first, count):
        came = 0
        for answer in answers:
            check(answer, size, first + came)
            came += 1
        if came != count:
            raise ValueError(f"{came} of {count} messages came")


def main():
    orders, answers = sys.stdin.buffer, sys.stdout.buffer
    client = Client(sys.argv[1])
    answers.write(b"ready\n")
    answers.flush()
    for line in orders:
        name, *numbers = line.decode().split()
        numbers = [int(number) for number in numbers]
        try:
            if name == "echo":
                answer = client.call(orders.read(numbers[0]))
                answers.write(b"ok %d\n" % len(answer) + answer)
            else:
                laps = getattr(client, name)(*numbers)
                packed = b"".join(lap.to_bytes(8, "little") for lap in laps)
                answers.write(b"ok %d\n" % len(packed) + packed)
        except Exception as error:
            answers.write(b"failed %s\n" % repr(error).replace("\n", " ").encode())
        answers.flush()


main()
