/**
 * The vectors of queries and items that SESRec's alignment draws together (Eq. 1, 6, 7). Knows how to get them out of the
 * graph for every query and item of a data set; does not know what is made of them.
 */
import { InterruptedError, at, range } from '../../../base/index.js';
import type { Dataset } from '../../../data/index.js';
import { type Batch, BatchAssembler, type Rows, catalogueOf, sizesKey } from '../../../features/index.js';
import { type Program, type Runtime, type Tensor } from '../../../tensor/index.js';
import type { AlignedVectors } from '../../definition/aligned-vectors.js';
import { Scope } from '../../layers/layers.js';
import type { Parameters } from '../../weights/parameters.js';
import { projectQueries, projectedItemVectors } from './sesrec.js';
import type { SesrecConfig } from './sesrec-config.js';

/** Queries or items that are worked out at once. */
const CHUNK = 1024;

/** Works them out with given parameters. The model must have its search on. Asked to stop, it does so with an `InterruptedError`. */
export async function alignedVectors(
  config: SesrecConfig,
  parameters: Parameters,
  dataset: Dataset,
  runtime: Runtime,
  signal?: AbortSignal,
): Promise<AlignedVectors> {
  const catalogue = catalogueOf(dataset, config.itemAttributes, config.userAttributes);
  const assembler = new BatchAssembler(catalogue, config.window);
  const { width } = config;

  const collect = async (
    total: number,
    assemble: (indices: Int32Array) => { batch: Batch; slots: Int32Array },
    build: (scope: Scope, batch: Batch) => Tensor,
  ): Promise<Float32Array> => {
    const vectors = new Float32Array(total * width);
    let compiled = null as { readonly key: string; readonly scope: Scope; readonly program: Program } | null;
    for (let start = 0; start < total; start += CHUNK) {
      const indices = range(Math.min(CHUNK, total - start)).map((offset) => start + offset);
      const { batch, slots } = assemble(indices);
      if (signal?.aborted) throw new InterruptedError('the vectors of queries and items were not worked out');
      const key = sizesKey(batch.sizes);
      if (compiled?.key !== key) {
        await compiled?.program.dispose();
        const scope = new Scope();
        compiled = { key, scope, program: await runtime.compile({ vectors: build(scope, batch) }) };
      }
      const { scope, program } = compiled;
      const rows = parameters.rows(scope.lookups.values(), batch.ids);
      const given: Record<string, Float32Array | Int32Array> = { ...parameters.dense(), ...rows, ...batch.inputs };
      const results = await program.run(
        Object.fromEntries(program.inputs.map(({ key }) => [key, given[key] as Float32Array])),
      );
      const found = results['vectors'] as Float32Array;
      slots.forEach((slot, i) => {
        vectors.set(found.subarray(slot * width, (slot + 1) * width), at(indices, i) * width);
      });
    }
    await compiled?.program.dispose();
    return vectors;
  };

  return {
    width,
    items: await collect(
      dataset.items.ids.length,
      (indices) => {
        const batch = assembler.assembleItems(indices);
        return { batch, slots: batch.inputs['itemSlots'] as Int32Array };
      },
      (scope, { sizes }) => projectedItemVectors(scope, config, sizes.items),
    ),
    queries: await collect(
      dataset.queries.ids.length,
      (indices) => {
        const batch = assembler.assemble(searchesFor(indices, config.window.clicks));
        return { batch, slots: batch.inputs['search'] as Int32Array };
      },
      (scope, { sizes }) => projectQueries(scope, config, sizes),
    ),
    bilinear: parameters.descriptions.some(({ name }) => name === 'alignment.bilinear')
      ? parameters.get('alignment.bilinear')
      : null,
  };
}

/** A row in which nobody searches for some queries, and clicks on nothing. */
function searchesFor(queries: Int32Array, clicksPerSearch: number): Rows {
  return {
    count: 1,
    extent: { feed: 0, search: queries.length },
    users: Int32Array.of(0),
    feed: new Int32Array(0),
    search: queries,
    source: new Int32Array(queries.length),
    clicks: new Int32Array(queries.length * clicksPerSearch),
  };
}
