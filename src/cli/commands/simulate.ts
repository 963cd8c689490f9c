/** `sesrec simulate`: the data of a made-up site. Knows options; the simulator does the work (docs/simulator.md). */
import { join } from 'node:path';
import { Command, Option } from 'commander';
import { EXPORT_FOLDERS, type ExportFormat, LOG_FILE, TRUTH_FILE, simulateData } from '../../simulate/index.js';
import { type DataFlags, reportData, withDataOptions, withSplit } from '../making-data.js';
import { numberFrom, wholeNumber } from '../options.js';
import { note } from '../output.js';

interface SimulateFlags extends DataFlags {
  readonly users: number;
  readonly items: number;
  readonly seed: number;
  readonly searchSignal: number;
  readonly as?: ExportFormat;
}

export function simulateCommand(): Command {
  const command = new Command('simulate')
    .description('make the data of a believable site with a feed and a search box, its log, and the truth behind it')
    .option('--users <number>', 'people who visit it', wholeNumber(1), 1000)
    .option('--items <number>', 'items it has', wholeNumber(12), 400)
    .option('--seed <number>', 'seed of everything random', wholeNumber(0), 1)
    .option(
      '--search-signal <share>',
      'how often a spontaneous search tells what comes next in the feed, 0 to 1; at 0 searches tell nothing',
      numberFrom(0, 1),
      0.5,
    )
    .addOption(
      new Option('--as <tracker>', 'write the log as this tracker would export it, too').choices(
        Object.keys(EXPORT_FOLDERS),
      ),
    );
  return withDataOptions(command).action(async (flags: SimulateFlags) => {
    reportData(await simulateData(withSplit(flags)), flags);
    if (flags.as !== undefined)
      note(`the log as ${flags.as} would export it: ${join(flags.out, EXPORT_FOLDERS[flags.as])}`);
    note(`the log: ${join(flags.out, LOG_FILE)}; why each thing happened: ${join(flags.out, TRUTH_FILE)}`);
  });
}
