// The contract, read from the `.proto` that the command names in the environment.
'use strict';

const grpc = require('@grpc/grpc-js');
const loader = require('@grpc/proto-loader');

const definition = loader.loadSync(process.env.INTEROP_PROTO, { keepCase: true, defaults: true });

module.exports = grpc.loadPackageDefinition(definition).grpc.testing;
