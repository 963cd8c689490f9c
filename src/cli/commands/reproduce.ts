/** `sesrec reproduce`: a recorded result once more, compared. Knows how that is shown; cli/reproduction.ts does the work. */
import { existsSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { Command, Option } from 'commander';
import { UserError } from '../../base/index.js';
import { jsonOption, threadsOption } from '../options.js';
import { note, printJson, printText } from '../output.js';
import { duration } from '../progress.js';
import { type Compared, type ReproductionRequest, reproduce } from '../reproduction.js';
import { type ResultManifest, readResult } from '../results.js';
import { textTable } from '../table.js';

interface ReproduceFlags extends Omit<ReproductionRequest, 'device'> {
  readonly device?: string;
  readonly json?: boolean;
}

export function reproduceCommand(): Command {
  return new Command('reproduce')
    .description('get a recorded result again, from the data on, and compare: weights, metrics and ranks')
    .argument('<manifest>', 'a file from the results folder of a run')
    .option('--data <directory>', 'the data set (default: that of the run beside the manifest)')
    .option('--weights', 'do not train again: evaluate the saved weights of the run beside the manifest')
    .option('--out <run>', 'keep the new run here (default: a temporary directory)')
    .addOption(threadsOption())
    .addOption(new Option('--device <name>', 'ONNX Runtime execution provider (default: the recorded one)'))
    .addOption(jsonOption())
    .action(async (path: string, flags: ReproduceFlags) => {
      const recorded = await readResult(path);
      note(await cost(path, recorded));
      const { json, ...request } = flags;
      const { device, threads } = recorded.environment;
      const start = performance.now();
      const result = await reproduce(path, recorded, {
        device,
        ...(threads === null ? {} : { threads }),
        ...request,
      });
      const seconds = (performance.now() - start) / 1000;
      if (json) printJson({ manifest: path, ...result, seconds });
      else {
        printText(table(result.compared));
        if (!result.identical)
          printText(
            result.surroundings.length > 0
              ? `\nwhat else is different:\n${table(result.surroundings)}`
              : '\nversions, machine and threads are the same as then',
          );
        note(duration(seconds));
      }
      if (!result.identical) {
        const different = result.compared.filter(({ same }) => !same).map(({ what }) => what);
        throw new UserError(
          `not reproduced: ${different.join(', ')} ${different.length === 1 ? 'is' : 'are'} different`,
        );
      }
      if (!json) printText('reproduced');
    });
}

/** How long the original took. */
async function cost(
  path: string,
  { kind, seconds, startedAt, weights, training, environment }: ResultManifest,
): Promise<string> {
  const where = `on ${startedAt.slice(0, 10)}, ${environment.machine.cpu}`;
  const of = (known: ResultManifest['training'], time: number): string =>
    `${duration(time)}${known?.resumed ? ' (its last session; it was resumed)' : ''}`;
  if (kind === 'training') return `the original training took ${of(training, seconds)} ${where}`;
  const beside = join(dirname(path), 'training.json');
  const trained = existsSync(beside) ? await readResult(beside).catch(() => null) : null;
  return `the original evaluation took ${duration(seconds)}${trained?.weights === weights ? `, its training ${of(trained.training, trained.seconds)},` : ''} ${where}`;
}

function table(compared: readonly Compared[]): string {
  const shown = (value: Compared['now']): string =>
    value === null
      ? '–'
      : typeof value === 'string' && /^[0-9a-f]{40,}/.test(value)
        ? value.slice(0, 12)
        : String(value);
  return textTable([
    ['', 'recorded', 'now', ''],
    ...compared.map(({ what, recorded, now, same }) => [
      what,
      shown(recorded),
      shown(now),
      same ? 'same' : 'different',
    ]),
  ]);
}
