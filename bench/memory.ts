/**
 * Peak memory of training at the Kuaishou shape: some steps in this process, which does nothing else, and the most memory that
 * the system has seen it hold (VmHWM), against the size of parameters and moments. Knows what is counted; does not know what
 * the memory is used for.
 *
 *   npm run bench -- memory [--batches N] [--threads N] [--optimizer NAME] [--form masked|official] [--json]
 *
 * The synthetic log itself, with its vocabularies of 1.3 million names, is in the figure; so is Node.
 */
import { parseArgs } from 'node:util';
import { textTable } from '../src/cli/table.js';
import { sesrecParameters } from '../src/model/index.js';
import { OPTIMIZERS } from '../src/train/index.js';
import { runOurs } from './contenders.js';
import {
  choiceOption,
  conditions,
  conditionsLine,
  milliseconds,
  peakBytes,
  runBench,
  sayUnless,
  wholeOption,
} from './harness.js';
import { FORMS, makeWorkload, batchesOf } from './workload.js';

const GIGABYTE = 1e9;

await runBench('memory', async () => {
  const { values } = parseArgs({
    options: {
      batches: { type: 'string', default: '16' },
      threads: { type: 'string', default: '2' },
      optimizer: { type: 'string', default: 'adamCatchUp' },
      form: { type: 'string', default: 'masked' },
      json: { type: 'boolean', default: false },
    },
  });
  const options = {
    batches: wholeOption('batches', values.batches, 1),
    threads: wholeOption('threads', values.threads, 1),
    optimizer: choiceOption('optimizer', values.optimizer, OPTIMIZERS),
    form: choiceOption('form', values.form, FORMS),
  };
  const say = sayUnless(values.json);
  const machine = conditions();
  say(conditionsLine(machine));
  const workload = makeWorkload('kuaishou');
  const config = workload.config(options.form);
  const withData = peakBytes();
  const parameters = sesrecParameters(config);
  parameters.initialise(1);
  const batches = batchesOf(workload, options.batches);
  const { total } = await runOurs({ ...options, workload, config, parameters, batches, rounds: 1 });
  const peak = peakBytes();
  const tables = 3 * 4 * parameters.size; // values and both moments, float32
  const rest = peak - tables;
  const gigabytes = (bytes: number): string => `${(bytes / GIGABYTE).toFixed(2)} GB`;
  say(
    textTable([
      [
        `peak, twice ${options.batches} batches, ${options.form}, ${options.optimizer}, ${options.threads} thread(s)`,
        gigabytes(peak),
      ],
      [`parameters and moments of ${parameters.size.toLocaleString('en-US')} parameters`, gigabytes(tables)],
      ['beside them', gigabytes(rest)],
      ['peak when only the data set had been made', gigabytes(withData)],
    ]),
  );
  return {
    bench: 'memory',
    kuaishou: { peakBytes: peak, tablesAndMomentsBytes: tables, besideBytes: rest, dataPeakBytes: withData },
    step: milliseconds(total),
    parameters: parameters.size,
    options,
    machine,
  };
});
