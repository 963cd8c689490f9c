/** A companion for the tests of the runtime: runs one program, one question after another. Runs on the runtime's thread. */
import type { OpenCompanion, RunHere, Told } from '../../src/tensor/index.js';

export const open: OpenCompanion = async (
  { program, counts }: { readonly program: number; readonly counts: Int32Array },
  run: RunHere,
) => {
  let atWork = 0;
  return async ({ x, fails }: { readonly x: Float32Array; readonly fails?: boolean }): Promise<Told> => {
    assertAlone(++atWork);
    try {
      if (fails) throw new Error('this question has no answer');
      const once = await run(program, { x }, []);
      const twice = await run(program, { x: once['y'] as Float32Array }, []);
      Atomics.add(counts, 0, 1);
      const y = twice['y'] as Float32Array;
      return { value: y, transfer: [y.buffer as ArrayBuffer] };
    } finally {
      atWork--;
    }
  };
};

function assertAlone(atWork: number): void {
  if (atWork !== 1) throw new Error(`${atWork} questions at once`);
}
