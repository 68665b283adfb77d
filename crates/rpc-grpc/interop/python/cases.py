"""The client of the interoperation cases, as a user of grpcio writes it."""

import os
import pathlib
import queue
import traceback

import grpc
import testing_pb2
import testing_pb2_grpc
from google.protobuf import descriptor_pool, empty_pb2
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection_pb2, reflection_pb2_grpc
from grpc_reflection.v1alpha.proto_reflection_descriptor_database import (
    ProtoReflectionDescriptorDatabase,
)

SERVICE = "grpc.testing.TestService"
SERVER = "shop.example"
SPECIAL = "\t\ntest with whitespace\r\nand Unicode BMP ☺ and non-BMP 😈\t\n"
SENT = (27182, 8, 1828, 45904)
WANTED = (31415, 9, 2653, 58979)
INITIAL = ("x-grpc-test-echo-initial", "test_initial_metadata_value")
TRAILING = ("x-grpc-test-echo-trailing-bin", b"\xab\xab\xab")
GZIP = grpc.Compression.Gzip
PATIENCE = 30


def run(case, security, certificates, port, rounds):
    """How the case ended, as the command reads it."""
    target = Target(security, certificates, port)
    try:
        with target.channel() as channel:
            stub = testing_pb2_grpc.TestServiceStub(channel)
            if case == "channel_soak":
                note = channel_soak(target, rounds)
            elif case == "rpc_soak":
                note = rpc_soak(stub, rounds)
            elif case in ON_CHANNEL:
                note = ON_CHANNEL[case](channel)
            else:
                note = ON_STUB[case](stub)
        return note or "ok"
    except Exception as error:
        where = traceback.extract_tb(error.__traceback__)[-1]
        text = f"{type(error).__name__} in {where.name}: {error}"
        return "failed\t" + " ".join(text.split())


class Target:
    def __init__(self, security, certificates, port):
        self.address = f"127.0.0.1:{port}"
        read = lambda name: pathlib.Path(certificates, name).read_bytes()
        self.credentials = None
        if security == "tls":
            self.credentials = grpc.ssl_channel_credentials(read("root.pem"))
        if security == "mtls":
            own = (read("clerk.key"), read("clerk.pem"))
            self.credentials = grpc.ssl_channel_credentials(read("root.pem"), *own)

    def channel(self):
        # Each channel has a connection of its own.
        options = [("grpc.use_local_subchannel_pool", 1)]
        if self.credentials is None:
            return grpc.insecure_channel(self.address, options)
        options.append(("grpc.ssl_target_name_override", SERVER))
        return grpc.secure_channel(self.address, self.credentials, options)


def same(what, found, wanted):
    if found != wanted:
        raise AssertionError(f"{what}: {found!r} instead of {wanted!r}")


def zeros(size):
    return testing_pb2.Payload(body=bytes(size))


def is_zeros(payload, size):
    same("bytes of an answer", len(payload.body), size)
    same("zeros", payload.body.count(0), size)


def fails(call, code, message=None):
    """The call must end with this status."""
    try:
        found = call()
    except grpc.RpcError as error:
        same("the code", error.code(), code)
        if message is not None:
            same("the message", error.details(), message)
        return
    raise AssertionError(f"success instead of {code}: {found!r:.80}")


def request(**fields):
    return testing_pb2.TestServiceUnaryCallRequest(
        response_size=314159, payload=zeros(271828), **fields
    )


def said(value):
    return testing_pb2.BoolValue(value=value)


def large_unary(stub, **options):
    is_zeros(stub.UnaryCall(request(), timeout=PATIENCE, **options).payload, 314159)


def empty_unary(stub):
    same("the answer", stub.EmptyCall(testing_pb2.TestServiceEmptyCallRequest()), empty_pb2.Empty())


def client_compressed_unary(stub):
    expecting = request(expect_compressed=said(True))
    fails(lambda: stub.UnaryCall(expecting), grpc.StatusCode.INVALID_ARGUMENT)
    is_zeros(stub.UnaryCall(expecting, compression=GZIP).payload, 314159)
    is_zeros(stub.UnaryCall(request(expect_compressed=said(False))).payload, 314159)


def server_compressed_unary(stub):
    for compressed in (True, False):
        asks = request(response_compressed=said(compressed))
        answer, call = stub.UnaryCall.with_call(asks, timeout=PATIENCE)
        is_zeros(answer.payload, 314159)
        went(call, "1" if compressed else "0")


def went(call, flags):
    """Which messages the server has sent compressed, by its trailer: grpcio does not show it."""
    same("sent compressed", dict(call.trailing_metadata()).get("x-sent-compressed"), flags)


def piece(body, expected=None):
    made = testing_pb2.StreamingInputCallRequest(payload=testing_pb2.Payload(body=body))
    if expected is not None:
        made.expect_compressed.value = expected
    return made


def client_compressed_streaming(stub):
    probe = iter([piece(bytes(27182), True)])
    fails(lambda: stub.StreamingInputCall(probe), grpc.StatusCode.INVALID_ARGUMENT)
    # What becomes no smaller is sent as it is: a message has no switch of its own in grpcio.
    pieces = iter([piece(bytes(27182), True), piece(os.urandom(45904), False)])
    counted = stub.StreamingInputCall(pieces, compression=GZIP, timeout=PATIENCE)
    same("bytes", counted.aggregated_payload_size, 73086)


def server_compressed_streaming(stub):
    wants = ((31415, True), (92653, False))
    asks = testing_pb2.TestServiceStreamingOutputCallRequest(
        response_parameters=[
            testing_pb2.ResponseParameters(size=size, compressed=said(compressed))
            for size, compressed in wants
        ]
    )
    answers = stub.StreamingOutputCall(asks, timeout=PATIENCE)
    take(answers, [size for size, _ in wants])
    went(answers, "10")


def client_streaming(stub):
    pieces = iter([piece(bytes(size)) for size in SENT])
    counted = stub.StreamingInputCall(pieces, timeout=PATIENCE)
    same("bytes", counted.aggregated_payload_size, 74922)


def take(answers, sizes):
    for size in sizes:
        is_zeros(next(answers).payload, size)
    same("after the last answer", next(answers, None), None)


def server_streaming(stub):
    asks = testing_pb2.TestServiceStreamingOutputCallRequest(
        response_parameters=[testing_pb2.ResponseParameters(size=size) for size in WANTED]
    )
    take(stub.StreamingOutputCall(asks, timeout=PATIENCE), WANTED)


def wanted(size, sent):
    return testing_pb2.StreamingOutputCallRequest(
        response_parameters=[testing_pb2.ResponseParameters(size=size)], payload=zeros(sent)
    )


class Asking:
    """Questions that are asked one by one."""

    def __init__(self):
        self.queue = queue.Queue()

    def __iter__(self):
        return iter(self.queue.get, None)

    def ask(self, question):
        self.queue.put(question)

    def end(self):
        self.queue.put(None)


def ping_pong(stub):
    asking = Asking()
    answers = stub.FullDuplexCall(iter(asking), timeout=PATIENCE)
    for size, sent in zip(WANTED, SENT):
        asking.ask(wanted(size, sent))
        is_zeros(next(answers).payload, size)
    asking.end()
    take(answers, ())


def empty_stream(stub):
    take(stub.FullDuplexCall(iter(()), timeout=PATIENCE), ())


def echoed(call):
    same("before the answer", dict(call.initial_metadata()).get(INITIAL[0]), INITIAL[1])
    same("after the answer", dict(call.trailing_metadata()).get(TRAILING[0]), TRAILING[1])


def custom_metadata(stub):
    metadata = (INITIAL, TRAILING)
    answer, call = stub.UnaryCall.with_call(request(), metadata=metadata, timeout=PATIENCE)
    is_zeros(answer.payload, 314159)
    echoed(call)
    asks = iter([wanted(314159, 271828)])
    answers = stub.FullDuplexCall(asks, metadata=metadata, timeout=PATIENCE)
    take(answers, (314159,))
    echoed(answers)


def status_of_unary(stub, message):
    asked = testing_pb2.EchoStatus(code=2, message=message)
    failing = request(response_status=asked)
    fails(lambda: stub.UnaryCall(failing), grpc.StatusCode.UNKNOWN, message)


def status_code_and_message(stub):
    message = "test status message"
    status_of_unary(stub, message)
    asked = testing_pb2.EchoStatus(code=2, message=message)
    failing = testing_pb2.StreamingOutputCallRequest(response_status=asked)
    answers = stub.FullDuplexCall(iter([failing]), timeout=PATIENCE)
    fails(lambda: next(answers), grpc.StatusCode.UNKNOWN, message)


def unimplemented(service):
    def case(channel):
        call = channel.unary_unary(
            f"/grpc.testing.{service}/UnimplementedCall",
            request_serializer=empty_pb2.Empty.SerializeToString,
            response_deserializer=empty_pb2.Empty.FromString,
        )
        fails(lambda: call(empty_pb2.Empty()), grpc.StatusCode.UNIMPLEMENTED)

    return case


def cancel_after_begin(stub):
    asking = Asking()
    call = stub.StreamingInputCall.future(iter(asking))
    call.cancel()
    same("cancelled", call.cancelled(), True)
    same("the code", call.code(), grpc.StatusCode.CANCELLED)
    asking.end()
    empty_unary(stub)


def cancel_after_first_response(stub):
    asking = Asking()
    answers = stub.FullDuplexCall(iter(asking))
    asking.ask(wanted(WANTED[0], SENT[0]))
    is_zeros(next(answers).payload, WANTED[0])
    answers.cancel()
    fails(lambda: next(answers), grpc.StatusCode.CANCELLED)
    asking.end()
    empty_unary(stub)


def timeout_on_sleeping_server(stub):
    asking = Asking()
    asking.ask(testing_pb2.StreamingOutputCallRequest(payload=zeros(SENT[0])))
    answers = stub.FullDuplexCall(iter(asking), timeout=0.001)
    fails(lambda: next(answers), grpc.StatusCode.DEADLINE_EXCEEDED)
    asking.end()
    empty_unary(stub)


def concurrent_large_unary(stub):
    calls = [stub.UnaryCall.future(request(), timeout=PATIENCE) for _ in range(64)]
    for call in calls:
        is_zeros(call.result().payload, 314159)


def rpc_soak(stub, rounds):
    for _ in range(rounds):
        large_unary(stub)


def channel_soak(target, rounds):
    for _ in range(rounds):
        with target.channel() as channel:
            large_unary(testing_pb2_grpc.TestServiceStub(channel))


def health(channel):
    stub = health_pb2_grpc.HealthStub(channel)
    asks = health_pb2.HealthCheckRequest(service=SERVICE)
    serving = health_pb2.HealthCheckResponse.SERVING
    same("check", stub.Check(asks, timeout=PATIENCE).status, serving)
    same("the whole", stub.Check(health_pb2.HealthCheckRequest(), timeout=PATIENCE).status, serving)
    watch = stub.Watch(asks)
    same("watch", next(watch).status, serving)
    watch.cancel()
    nobody = health_pb2.HealthCheckRequest(service="nobody")
    fails(lambda: stub.Check(nobody), grpc.StatusCode.NOT_FOUND)


def reflection_v1alpha(channel):
    database = ProtoReflectionDescriptorDatabase(channel)
    described(database.get_services(), descriptor_pool.DescriptorPool(database))


def described(services, pool):
    same(f"{SERVICE} among {list(services)}", SERVICE in services, True)
    service = pool.FindServiceByName(SERVICE)
    known = testing_pb2.DESCRIPTOR.services_by_name["TestService"]
    same("methods", [m.name for m in service.methods], [m.name for m in known.methods])
    for method in known.methods:
        for found, made in (
            (service.FindMethodByName(method.name).input_type, method.input_type),
            (service.FindMethodByName(method.name).output_type, method.output_type),
        ):
            same("a message", found.full_name, made.full_name)
            fields = lambda message: [(f.name, f.number, f.type) for f in message.fields]
            same(f"fields of {made.full_name}", fields(found), fields(made))


def reflection_v1(channel):
    """The same messages under the other name: grpcio-reflection speaks v1alpha alone."""
    call = channel.stream_stream(
        "/grpc.reflection.v1.ServerReflection/ServerReflectionInfo",
        request_serializer=reflection_pb2.ServerReflectionRequest.SerializeToString,
        response_deserializer=reflection_pb2.ServerReflectionResponse.FromString,
    )
    asks = [
        reflection_pb2.ServerReflectionRequest(list_services=""),
        reflection_pb2.ServerReflectionRequest(file_containing_symbol=SERVICE),
    ]
    listed, file = call(iter(asks), timeout=PATIENCE)
    names = [service.name for service in listed.list_services_response.service]
    same(f"{SERVICE} among {names}", SERVICE in names, True)
    files = file.file_descriptor_response.file_descriptor_proto
    same("files", len(files) > 0, True)


ON_STUB = {
    "empty_unary": empty_unary,
    "large_unary": large_unary,
    "client_compressed_unary": client_compressed_unary,
    "server_compressed_unary": server_compressed_unary,
    "client_compressed_streaming": client_compressed_streaming,
    "server_compressed_streaming": server_compressed_streaming,
    "client_streaming": client_streaming,
    "server_streaming": server_streaming,
    "ping_pong": ping_pong,
    "empty_stream": empty_stream,
    "custom_metadata": custom_metadata,
    "status_code_and_message": status_code_and_message,
    "special_status_message": lambda stub: status_of_unary(stub, SPECIAL),
    "cancel_after_begin": cancel_after_begin,
    "cancel_after_first_response": cancel_after_first_response,
    "timeout_on_sleeping_server": timeout_on_sleeping_server,
    "concurrent_large_unary": concurrent_large_unary,
}

ON_CHANNEL = {
    "unimplemented_method": unimplemented("TestService"),
    "unimplemented_service": unimplemented("UnimplementedService"),
    "health": health,
    "reflection_v1": reflection_v1,
    "reflection_v1alpha": reflection_v1alpha,
}
