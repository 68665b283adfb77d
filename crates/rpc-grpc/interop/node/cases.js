// The client of the interoperation cases, as a user of @grpc/grpc-js writes it.
'use strict';

const assert = require('node:assert/strict');
const fs = require('node:fs');
const path = require('node:path');
const { once } = require('node:events');
const grpc = require('@grpc/grpc-js');
const { TestService } = require('./contract');

const SERVER = 'shop.example';
const SPECIAL = '\t\ntest with whitespace\r\nand Unicode BMP ☺ and non-BMP 😈\t\n';
const SENT = [27182, 8, 1828, 45904];
const WANTED = [31415, 9, 2653, 58979];
const INITIAL = ['x-grpc-test-echo-initial', 'test_initial_metadata_value'];
const TRAILING = ['x-grpc-test-echo-trailing-bin', Buffer.from([0xab, 0xab, 0xab])];
const PATIENCE = 30_000;
const GZIP = { 'grpc.default_compression_algorithm': 2 };
// `WriteFlags.NoCompress`, which the package does not export.
const NO_COMPRESS = 2;
const { status: Code } = grpc;

async function run(name, security, certificates, port, rounds) {
  const target = new Target(security, certificates, port);
  const client = target.client();
  try {
    if (!Object.hasOwn(CASES, name)) {
      throw new Error(`no case ${name}`);
    }
    return (await within(CASES[name](client, target, rounds))) || 'ok';
  } catch (error) {
    return `failed\t${String(error.stack).split('\n').slice(0, 3).join(' ').replace(/\s+/g, ' ')}`;
  } finally {
    client.close();
  }
}

async function within(work) {
  let timer;
  const late = new Promise((_, reject) => {
    timer = setTimeout(() => reject(new Error(`no end within ${2 * PATIENCE} ms`)), 2 * PATIENCE);
  });
  try {
    return await Promise.race([work, late]);
  } finally {
    clearTimeout(timer);
  }
}

class Target {
  constructor(security, certificates, port) {
    this.address = `127.0.0.1:${port}`;
    const read = (name) => fs.readFileSync(path.join(certificates, name));
    this.options = { 'grpc.use_local_subchannel_pool': 1 };
    this.credentials = grpc.credentials.createInsecure();
    if (security !== 'plain') {
      const own = security === 'mtls' ? [read('clerk.key'), read('clerk.pem')] : [];
      this.credentials = grpc.credentials.createSsl(read('root.pem'), ...own);
      this.options['grpc.ssl_target_name_override'] = SERVER;
      this.options['grpc.default_authority'] = SERVER;
    }
  }

  client(options = {}) {
    return new TestService(this.address, this.credentials, { ...this.options, ...options });
  }
}

const zeros = (size) => ({ type: 0, body: Buffer.alloc(size) });
const soon = () => ({ deadline: Date.now() + PATIENCE });
const request = (more = {}) => ({ response_size: 314159, payload: zeros(271828), ...more });
const wanted = (size, sent) => ({ response_parameters: [{ size }], payload: zeros(sent) });
const piece = (size, value) => ({
  payload: zeros(size),
  expect_compressed: value === undefined ? null : { value },
});

function isZeros({ payload }, size) {
  assert.equal(payload.body.length, size);
  assert.ok(payload.body.every((byte) => byte === 0), 'zeros');
}

// One answer, with what came before and after it.
function unary(client, method, argument, metadata = new grpc.Metadata()) {
  return new Promise((resolve, reject) => {
    const seen = {};
    const call = client[method](argument, metadata, soon(), (error, answer) => {
      seen.answer = answer;
      seen.error = error;
    });
    call.on('metadata', (before) => (seen.before = before));
    call.on('status', (after) => {
      seen.after = after.metadata;
      // The callback runs before or after this; both have what they need by then.
      setImmediate(() => (seen.error ? reject(seen.error) : resolve(seen)));
    });
  });
}

// Sends these messages, and gives the one answer.
async function input(client, pieces) {
  let call;
  const ended = new Promise((resolve, reject) => {
    call = client.StreamingInputCall(soon(), (error, answer) =>
      error ? reject(error) : resolve(answer),
    );
  });
  for (const [message, flags] of pieces) {
    await new Promise((written) => {
      // grpc-js takes the flags of a message where Node has the encoding of a text, and Node's own
      // `write` lets no number pass.
      if (flags === undefined) {
        call.write(message, written);
      } else {
        call._write(message, flags, written);
      }
    });
  }
  call.end();
  return ended;
}

async function fails(work, code, message) {
  let found;
  try {
    found = await work;
  } catch (error) {
    assert.equal(error.code, code, error.details);
    if (message !== undefined) {
      assert.equal(error.details, message);
    }
    return;
  }
  assert.fail(`success instead of ${code}: ${JSON.stringify(found).slice(0, 80)}`);
}

// Takes answers of these sizes, and then the end.
async function take(answers, sizes) {
  const left = [...sizes];
  for await (const answer of answers) {
    assert.ok(left.length > 0, 'an answer instead of the end');
    isZeros(answer, left.shift());
  }
  assert.deepEqual(left, []);
}

// The next answer of a stream that stays open.
function next(call) {
  return new Promise((resolve, reject) => {
    call.once('error', reject);
    call.once('data', (answer) => {
      call.off('error', reject);
      call.pause();
      resolve(answer);
    });
    call.resume();
  });
}

async function emptyUnary(client) {
  assert.deepEqual((await unary(client, 'EmptyCall', {})).answer, {});
}

async function largeUnary(client) {
  isZeros((await unary(client, 'UnaryCall', request())).answer, 314159);
}

async function clientCompressedUnary(client, target) {
  const expecting = request({ expect_compressed: { value: true } });
  await fails(unary(client, 'UnaryCall', expecting), Code.INVALID_ARGUMENT);
  const packing = target.client(GZIP);
  try {
    isZeros((await unary(packing, 'UnaryCall', expecting)).answer, 314159);
  } finally {
    packing.close();
  }
  const plain = request({ expect_compressed: { value: false } });
  isZeros((await unary(client, 'UnaryCall', plain)).answer, 314159);
}

async function serverCompressedUnary(client) {
  for (const value of [true, false]) {
    const asks = request({ response_compressed: { value } });
    const { answer, after } = await unary(client, 'UnaryCall', asks);
    isZeros(answer, 314159);
    went(after, value ? '1' : '0');
  }
}

// Which messages the server has sent compressed, by its trailer: grpc-js does not show it.
function went(trailers, flags) {
  assert.deepEqual(trailers.get('x-sent-compressed'), [flags]);
}

async function clientCompressedStreaming(client, target) {
  await fails(input(client, [[piece(27182, true)]]), Code.INVALID_ARGUMENT);
  const packing = target.client(GZIP);
  try {
    const pieces = [
      [piece(27182, true)],
      [piece(45904, false), NO_COMPRESS],
    ];
    assert.equal((await input(packing, pieces)).aggregated_payload_size, 73086);
  } finally {
    packing.close();
  }
}

async function serverCompressedStreaming(client) {
  const wants = [
    { size: 31415, compressed: { value: true } },
    { size: 92653, compressed: { value: false } },
  ];
  const call = client.StreamingOutputCall({ response_parameters: wants }, soon());
  const end = once(call, 'status');
  await take(call, [31415, 92653]);
  went((await end)[0].metadata, '10');
}

async function clientStreaming(client) {
  const counted = await input(client, SENT.map((size) => [piece(size)]));
  assert.equal(counted.aggregated_payload_size, 74922);
}

async function serverStreaming(client) {
  const wants = WANTED.map((size) => ({ size }));
  await take(client.StreamingOutputCall({ response_parameters: wants }, soon()), WANTED);
}

async function pingPong(client) {
  const call = client.FullDuplexCall(soon());
  for (const [index, size] of WANTED.entries()) {
    call.write(wanted(size, SENT[index]));
    isZeros(await next(call), size);
  }
  call.end();
  await take(call, []);
}

async function emptyStream(client) {
  const call = client.FullDuplexCall(soon());
  call.end();
  await take(call, []);
}

function echoed(before, after) {
  assert.deepEqual(before.get(INITIAL[0]), [INITIAL[1]]);
  assert.deepEqual(after.get(TRAILING[0]), [TRAILING[1]]);
}

async function customMetadata(client) {
  const metadata = new grpc.Metadata();
  metadata.set(...INITIAL);
  metadata.set(...TRAILING);
  const { before, after } = await unary(client, 'UnaryCall', request(), metadata);
  echoed(before, after);
  const call = client.FullDuplexCall(metadata, soon());
  const [head, end] = [once(call, 'metadata'), once(call, 'status')];
  call.write(wanted(314159, 271828));
  call.end();
  await take(call, [314159]);
  echoed((await head)[0], (await end)[0].metadata);
}

async function statusOfUnary(client, message) {
  const failing = request({ response_status: { code: Code.UNKNOWN, message } });
  await fails(unary(client, 'UnaryCall', failing), Code.UNKNOWN, message);
}

async function statusCodeAndMessage(client) {
  const message = 'test status message';
  await statusOfUnary(client, message);
  const call = client.FullDuplexCall(soon());
  call.write({ response_status: { code: Code.UNKNOWN, message } });
  call.end();
  await fails(take(call, []), Code.UNKNOWN, message);
}

function unimplemented(service) {
  return async (client) => {
    const path = `/grpc.testing.${service}/UnimplementedCall`;
    const nothing = () => Buffer.alloc(0);
    const call = new Promise((resolve, reject) => {
      client.makeUnaryRequest(path, nothing, nothing, {}, soon(), (error, answer) =>
        error ? reject(error) : resolve(answer),
      );
    });
    await fails(call, Code.UNIMPLEMENTED);
  };
}

async function cancelAfterBegin(client) {
  const ended = new Promise((resolve, reject) => {
    const call = client.StreamingInputCall((error, answer) =>
      error ? reject(error) : resolve(answer),
    );
    call.cancel();
  });
  await fails(ended, Code.CANCELLED);
  await emptyUnary(client);
}

async function cancelAfterFirstResponse(client) {
  const call = client.FullDuplexCall();
  call.write(wanted(WANTED[0], SENT[0]));
  isZeros(await next(call), WANTED[0]);
  call.cancel();
  await fails(take(call, []), Code.CANCELLED);
  await emptyUnary(client);
}

async function timeoutOnSleepingServer(client) {
  const call = client.FullDuplexCall({ deadline: Date.now() + 1 });
  call.write({ payload: zeros(SENT[0]) });
  await fails(take(call, []), Code.DEADLINE_EXCEEDED);
  await emptyUnary(client);
}

async function concurrentLargeUnary(client) {
  await Promise.all(Array.from({ length: 64 }, () => largeUnary(client)));
}

async function rpcSoak(client, _, rounds) {
  for (let round = 0; round < rounds; round += 1) {
    await largeUnary(client);
  }
}

async function channelSoak(_, target, rounds) {
  for (let round = 0; round < rounds; round += 1) {
    const client = target.client();
    try {
      await largeUnary(client);
    } finally {
      client.close();
    }
  }
}

const apart = async () => 'n/a\ta package of its own, not part of @grpc/grpc-js';

const CASES = {
  empty_unary: emptyUnary,
  large_unary: largeUnary,
  client_compressed_unary: clientCompressedUnary,
  server_compressed_unary: serverCompressedUnary,
  client_compressed_streaming: clientCompressedStreaming,
  server_compressed_streaming: serverCompressedStreaming,
  client_streaming: clientStreaming,
  server_streaming: serverStreaming,
  ping_pong: pingPong,
  empty_stream: emptyStream,
  custom_metadata: customMetadata,
  status_code_and_message: statusCodeAndMessage,
  special_status_message: (client) => statusOfUnary(client, SPECIAL),
  unimplemented_method: unimplemented('TestService'),
  unimplemented_service: unimplemented('UnimplementedService'),
  cancel_after_begin: cancelAfterBegin,
  cancel_after_first_response: cancelAfterFirstResponse,
  timeout_on_sleeping_server: timeoutOnSleepingServer,
  concurrent_large_unary: concurrentLargeUnary,
  rpc_soak: rpcSoak,
  channel_soak: channelSoak,
  health: apart,
  reflection_v1: apart,
  reflection_v1alpha: apart,
};

module.exports = { run };
