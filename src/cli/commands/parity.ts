/** `sesrec parity`: SESRec official against golden vectors. Knows how errors are shown; train/parity.ts does the work. */
import { Command } from 'commander';
import { UserError } from '../../base/index.js';
import { type ParityReport, parity } from '../../train/index.js';
import { type ComputeFlags, deviceOption, jsonOption, threadsOption, withRuntime } from '../options.js';
import { printJson, printText } from '../output.js';
import { textTable } from '../table.js';

export function parityCommand(): Command {
  return new Command('parity')
    .description("compare SESRec official with what the authors' code computed (golden vectors)")
    .argument('<fixture>', 'a directory with config.json, inputs.json, weights.safetensors, expected.json, …')
    .addOption(threadsOption())
    .addOption(deviceOption())
    .addOption(jsonOption())
    .action(async (fixture: string, flags: ComputeFlags & { json?: boolean }) => {
      const report = await withRuntime(flags, (runtime) => parity(fixture, runtime));
      if (flags.json) printJson(report);
      else printReport(report);
      if (!report.ok) throw new UserError(`parity fails: ${report.failures.join(', ')}`);
    });
}

function printReport(report: ParityReport): void {
  const kinds = Object.keys(report.tolerances) as (keyof ParityReport['tolerances'])[];
  printText(
    textTable([
      ['largest error of', 'found', 'allowed'],
      ...kinds.map((kind) => [kind, report[kind].toExponential(1), report.tolerances[kind].toExponential(0)]),
    ]),
  );
  printText(
    `values that adamCatchUp makes other than adam: ${report.catchUpDifferences}; sides that differ: ${report.masks}; co-attention (step ${report.coattentionStep}): ${report.coattention.toExponential(1)}`,
  );
  if (report.ok) printText('parity holds');
}
