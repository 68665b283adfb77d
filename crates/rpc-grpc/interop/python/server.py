"""The server of the interoperation cases, as a user of grpcio writes it."""

import pathlib
import sys
from concurrent import futures

import grpc
import testing_pb2
import testing_pb2_grpc
from google.protobuf import empty_pb2
from grpc_health.v1 import health, health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection

SERVICE = "grpc.testing.TestService"
INITIAL = "x-grpc-test-echo-initial"
TRAILING = "x-grpc-test-echo-trailing-bin"


def serve(security, certificates):
    server = grpc.server(futures.ThreadPoolExecutor(max_workers=80))
    testing_pb2_grpc.add_TestServiceServicer_to_server(Tester(), server)
    servicer = health.HealthServicer()
    servicer.set(SERVICE, health_pb2.HealthCheckResponse.SERVING)
    health_pb2_grpc.add_HealthServicer_to_server(servicer, server)
    reflection.enable_server_reflection([SERVICE, reflection.SERVICE_NAME], server)
    if security == "plain":
        port = server.add_insecure_port("127.0.0.1:0")
    else:
        read = lambda name: pathlib.Path(certificates, name).read_bytes()
        mutual = security == "mtls"
        port = server.add_secure_port(
            "127.0.0.1:0",
            grpc.ssl_server_credentials(
                [(read("server.key"), read("server.pem"))],
                root_certificates=read("root.pem") if mutual else None,
                require_client_auth=mutual,
            ),
        )
    server.start()
    print("hidden\tno handler of grpcio sees which messages came compressed")
    print(f"listening {port}", flush=True)
    sys.stdin.read()
    server.stop(grace=None).wait()


def zeros(size):
    return testing_pb2.Payload(body=bytes(size))


def fail_as_asked(request, context):
    if request.HasField("response_status") and request.response_status.code != 0:
        codes = {code.value[0]: code for code in grpc.StatusCode}
        context.abort(codes[request.response_status.code], request.response_status.message)


def echo(context):
    sent = dict(context.invocation_metadata())
    if TRAILING in sent:
        context.set_trailing_metadata(((TRAILING, sent[TRAILING]),))
    if INITIAL in sent:
        context.send_initial_metadata(((INITIAL, sent[INITIAL]),))


class Tester(testing_pb2_grpc.TestServiceServicer):
    def EmptyCall(self, request, context):
        return empty_pb2.Empty()

    def UnaryCall(self, request, context):
        if request.response_compressed.value:
            context.set_compression(grpc.Compression.Gzip)
        echo(context)
        fail_as_asked(request, context)
        return testing_pb2.SimpleResponse(payload=zeros(request.response_size))

    def StreamingOutputCall(self, request, context):
        context.set_compression(grpc.Compression.Gzip)
        for wanted in request.response_parameters:
            if not wanted.compressed.value:
                context.disable_next_message_compression()
            yield testing_pb2.StreamingOutputCallResponse(payload=zeros(wanted.size))

    def StreamingInputCall(self, request_iterator, context):
        size = sum(len(request.payload.body) for request in request_iterator)
        return testing_pb2.StreamingInputCallResponse(aggregated_payload_size=size)

    def FullDuplexCall(self, request_iterator, context):
        echo(context)
        for request in request_iterator:
            fail_as_asked(request, context)
            for wanted in request.response_parameters:
                yield testing_pb2.StreamingOutputCallResponse(payload=zeros(wanted.size))
