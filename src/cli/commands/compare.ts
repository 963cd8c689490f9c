/** `sesrec compare`: many models on one data set, with the same effort for each. Knows the command; cli/comparison does the work. */
import { Command } from 'commander';
import { type ComparisonFlags, compareModels } from '../comparison/index.js';
import { choosingOptions, saidOf, trainingOptions, typed } from '../comparison/options.js';
import { jsonOption } from '../options.js';
import { note, printJson, printText } from '../output.js';

interface CompareFlags extends ComparisonFlags {
  readonly json?: boolean;
}

export function compareCommand(): Command {
  const command = new Command('compare')
    .description(
      'tune, train and test many models with the same budget, and tell which is best and how sure that is; the same command goes on after an interruption',
    )
    .argument('<data>', 'a directory made by sesrec import')
    .requiredOption('--out <directory>', 'where everything goes: runs, ranks, results.json, table.md');
  for (const option of [...choosingOptions(), ...trainingOptions(), jsonOption()]) command.addOption(option);
  return command.action(async (data: string, { json, ...asked }: CompareFlags) => {
    const said = saidOf(command).filter((name) => name !== 'json');
    const { results, text } = await compareModels(data, asked, said, (options) => typed(data, command, { ...options }));
    if (json) printJson(results);
    else printText(text);
    note(`results: ${asked.out}/results.json, ${asked.out}/table.md`);
  });
}
