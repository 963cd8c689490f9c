#!/usr/bin/env node
// The door of the command line: knows where the compiled program lies and nothing else.
import { main } from '../dist/src/cli/main.js';

process.exitCode = await main(process.argv.slice(2));
