#!/usr/bin/env node
// The door of the command line: knows where the compiled program lies and nothing else.
import { main } from '../dist/src/cli/main.js';

// A reader that has seen enough (`| head`) is no error.
for (const stream of [process.stdout, process.stderr]) {
  stream.on('error', (error) => {
    if (error.code !== 'EPIPE') throw error;
  });
}
process.exitCode = await main(process.argv.slice(2));
