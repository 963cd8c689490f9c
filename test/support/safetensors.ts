/** Whole safetensors files, for tests. Knows that parts follow one another. */
import { safetensorsParts } from '../../src/model/index.js';

/** The bytes of a safetensors file. */
export function encodeSafetensors(...content: Parameters<typeof safetensorsParts>): Uint8Array {
  return Uint8Array.from(Buffer.concat([...safetensorsParts(...content)]));
}
