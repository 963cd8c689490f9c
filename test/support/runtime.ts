/** The ONNX Runtime of a test file. Knows when it is let go; does not know what is run. */
import { after } from 'node:test';
import { Runtime } from '../../src/tensor/index.js';

/** A runtime for all tests of the file that asks for it. */
export function runtimeForTests({ threads = 1 } = {}): Runtime {
  const runtime = new Runtime({ threads });
  after(async () => runtime.dispose());
  return runtime;
}
