// Client and server of gRPC's interoperation cases on @grpc/grpc-js, started by
// `cargo xtask interop grpc`.
//
// A server says `listening PORT`, before it what it cannot do, and ends with its standard input.
// A client says one line a case: its name, `ok`, `part`, `n/a` or `failed`, and why.
//
//     interop.js server plain|tls|mtls CERTIFICATES
//     interop.js client plain|tls|mtls CERTIFICATES PORT CASE,... ROUNDS
'use strict';

const { run } = require('./cases');
const { serve } = require('./server');

async function main([role, security, certificates, port, cases, rounds]) {
  if (role === 'server') {
    return serve(security, certificates);
  }
  for (const name of cases.split(',')) {
    console.log(`${name}\t${await run(name, security, certificates, port, Number(rounds))}`);
  }
}

main(process.argv.slice(2)).catch((error) => {
  console.error(error);
  process.exit(1);
});
