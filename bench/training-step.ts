/**
 * Time of one training step of SESRec `official`: assembling the batch, the graph (forward and backward), the check that its
 * numbers are finite, the update.
 * Knows where the time goes; judges nothing. Usage, on a quiet machine:
 *
 *   npm run build && node dist/bench/training-step.js DATA [--threads 1,2] [--steps 60]
 *
 * Medians in milliseconds. The last line is one JSON object.
 */
import { cpus } from 'node:os';
import { parseArgs } from 'node:util';
import { Random, range } from '../src/base/index.js';
import { loadDataset } from '../src/data/index.js';
import {
  AlignmentSampler,
  BatchAssembler,
  NegativeSampler,
  catalogueOf,
  gatherRows,
  trainingCases,
  trainingQueries,
} from '../src/features/index.js';
import {
  type SesrecConfig,
  sesrecParameters,
  sesrecPresets,
  sesrecShapes,
  vocabularySizes,
} from '../src/model/index.js';
import { Runtime } from '../src/tensor/index.js';
import { Stepper, checkGradients, createOptimizer } from '../src/train/index.js';

/** The figure for the official loop on this data: one thread, assembly not counted, another day on such a machine. */
const OFFICIAL = {
  milliseconds: [220, 280],
  what: "authors' PyTorch code, 1 thread, assembly not counted, measured earlier elsewhere",
} as const;
const BATCH = 256;

const { positionals, values } = parseArgs({
  allowPositionals: true,
  options: { threads: { type: 'string', default: '1,2' }, steps: { type: 'string', default: '60' } },
});
const dataset = await loadDataset(positionals[0] ?? 'data/beauty');
const { shape, weightDecay } = sesrecShapes.amazon;
const config: SesrecConfig = {
  ...sesrecPresets.official,
  ...shape,
  itemAttributes: [],
  userAttributes: [],
  sizes: vocabularySizes(dataset),
};
const cases = trainingCases(dataset, false);
const median = (times: number[]): number => times.toSorted((a, b) => a - b)[times.length >> 1] ?? NaN;
const results: Record<string, number>[] = [];

for (const threads of values.threads.split(',').map(Number)) {
  const runtime = new Runtime({ threads });
  const parameters = sesrecParameters(config);
  parameters.initialise(1);
  const stepper = new Stepper(config, parameters, runtime, createOptimizer({ kind: 'adam', weightDecay }));
  const assembler = new BatchAssembler(catalogueOf(dataset), config.window);
  const sampler = new NegativeSampler(dataset, cases, { count: config.negatives, sampling: config.negativeSampling });
  const alignment = new AlignmentSampler(
    dataset,
    trainingQueries(dataset),
    config.alignmentNegatives,
    new Random(1, 'alignment'),
  );
  const order = new Random(1, 'order').shuffle(range(cases.length));
  const times = { assemble: [] as number[], graph: [] as number[], check: [] as number[], update: [] as number[] };
  const steps = Number(values.steps);
  for (let step = 0; step < steps; step++) {
    const start = performance.now();
    const rows = Array.from(
      order.subarray(step * BATCH, (step + 1) * BATCH),
      (row) => cases[row] as (typeof cases)[number],
    );
    const random = new Random(1, 'negatives', step);
    const candidates = Int32Array.from(
      rows.flatMap((moment) => [dataset.feedItem[moment.feedPosition] as number, ...sampler.draw(moment, random)]),
    );
    const batch = assembler.assemble(gatherRows(dataset, rows, config.window), {
      candidates,
      negatives: alignment.block(step),
      pairReduction: config.alignmentReduction,
    });
    const assembled = performance.now();
    const gradients = await stepper.gradients([batch], new Random(1, 'dropout', step));
    const computed = performance.now();
    checkGradients(gradients);
    const checked = performance.now();
    stepper.update(gradients, 1e-3);
    if (step < 10) continue; // programs are compiled, sizes settle
    times.assemble.push(assembled - start);
    times.graph.push(computed - assembled);
    times.check.push(checked - computed);
    times.update.push(performance.now() - checked);
  }
  await runtime.dispose();
  const total = median(times.graph) + median(times.check) + median(times.update);
  results.push({
    threads,
    assemble: median(times.assemble),
    graph: median(times.graph),
    check: median(times.check),
    update: median(times.update),
    step: total,
    epochSeconds: (total * Math.ceil(cases.length / BATCH)) / 1000,
  });
}

const out = (text: string): void => void process.stdout.write(`${text}\n`);
out(
  `SESRec official, batch ${BATCH}, ${cases.length} training rows, ${cpus()[0]?.model}, ${cpus().length} cores, Node ${process.version}`,
);
for (const { threads, assemble, graph, check, update, step, epochSeconds } of results as {
  threads: number;
  assemble: number;
  graph: number;
  check: number;
  update: number;
  step: number;
  epochSeconds: number;
}[]) {
  out(
    `${threads} thread(s): graph ${graph.toFixed(1)} + check ${check.toFixed(2)} + update ${update.toFixed(1)} = ${step.toFixed(1)} ms a step (assembly ${assemble.toFixed(1)} ms overlaps the graph), ${epochSeconds.toFixed(0)} s an epoch`,
  );
}
const first = results[0]?.['step'] ?? NaN;
out(
  `ratio to ${OFFICIAL.what} (${OFFICIAL.milliseconds.join('-')} ms): ${OFFICIAL.milliseconds.map((time) => (time / first).toFixed(1)).join('-')} times faster`,
);
out(JSON.stringify({ bench: 'training-step', results, official: OFFICIAL }));
