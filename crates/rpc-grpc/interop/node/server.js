// The server of the interoperation cases, as a user of @grpc/grpc-js writes it.
'use strict';

const fs = require('node:fs');
const path = require('node:path');
const grpc = require('@grpc/grpc-js');
const { TestService } = require('./contract');

const INITIAL = 'x-grpc-test-echo-initial';
const TRAILING = 'x-grpc-test-echo-trailing-bin';
const LIMITS = [
  'hidden\tno handler of grpc-js sees which messages came compressed',
  'cannot\tserver_compressed_unary\ta server of grpc-js sends nothing compressed',
  'cannot\tserver_compressed_streaming\ta server of grpc-js sends nothing compressed',
  'cannot\thealth\ta package of its own, not part of @grpc/grpc-js',
];

const zeros = (size) => ({ type: 0, body: Buffer.alloc(size) });
const outputs = (wanted) => wanted.map(({ size }) => ({ payload: zeros(size) }));

// Sends the entry back that belongs before the answer; gives the one that belongs after it.
function echo(call) {
  const [initial] = call.metadata.get(INITIAL);
  if (initial !== undefined) {
    const head = new grpc.Metadata();
    head.set(INITIAL, initial);
    call.sendMetadata(head);
  }
  const trailers = new grpc.Metadata();
  const [trailing] = call.metadata.get(TRAILING);
  if (trailing !== undefined) {
    trailers.set(TRAILING, trailing);
  }
  return trailers;
}

// The status for which the request asks.
function asked({ response_status: status }, metadata) {
  return status && status.code !== 0
    ? { code: status.code, details: status.message, metadata }
    : null;
}

const handlers = {
  EmptyCall: (call, answer) => answer(null, {}),
  UnaryCall: (call, answer) => {
    const trailers = echo(call);
    const failure = asked(call.request, trailers);
    if (failure) {
      return answer(failure);
    }
    return answer(null, { payload: zeros(call.request.response_size) }, trailers);
  },
  StreamingOutputCall: (call) => {
    outputs(call.request.response_parameters).forEach((output) => call.write(output));
    call.end();
  },
  StreamingInputCall: (call, answer) => {
    let size = 0;
    call.on('data', ({ payload }) => (size += payload ? payload.body.length : 0));
    call.on('end', () => answer(null, { aggregated_payload_size: size }));
    call.on('error', () => {});
  },
  FullDuplexCall: (call) => {
    const trailers = echo(call);
    call.on('data', (request) => {
      const failure = asked(request, trailers);
      if (failure) {
        call.emit('error', failure);
        return;
      }
      outputs(request.response_parameters).forEach((output) => call.write(output));
    });
    call.on('end', () => call.end(trailers));
    call.on('error', () => {});
  },
};

function credentials(security, certificates) {
  if (security === 'plain') {
    return grpc.ServerCredentials.createInsecure();
  }
  const read = (name) => fs.readFileSync(path.join(certificates, name));
  const mutual = security === 'mtls';
  const pair = { private_key: read('server.key'), cert_chain: read('server.pem') };
  return grpc.ServerCredentials.createSsl(mutual ? read('root.pem') : null, [pair], mutual);
}

function serve(security, certificates) {
  const server = new grpc.Server();
  server.addService(TestService.service, handlers);
  server.bindAsync('127.0.0.1:0', credentials(security, certificates), (error, port) => {
    if (error) {
      throw error;
    }
    console.log(`${LIMITS.join('\n')}\nlistening ${port}`);
  });
  process.stdin.resume();
  process.stdin.on('end', () => process.exit(0));
}

module.exports = { serve };
