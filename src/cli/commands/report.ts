/** `sesrec report`: one file to send to somebody, of a run or of a comparison. Knows options; cli/reporting does the work. */
import { Command } from 'commander';
import { UsageError } from '../../base/index.js';
import { type ReportRequest, writeReport } from '../reporting/index.js';
import { deviceOption, jsonOption, threadsOption } from '../options.js';
import { note, printJson, printText } from '../output.js';

interface ReportFlags extends ReportRequest {
  readonly json?: boolean;
}

export function reportCommand(): Command {
  return new Command('report')
    .description('one self-contained HTML file of a run or a comparison: no network, no script, for screen and paper')
    .argument('<directory>', 'a directory made by sesrec train or sesrec compare')
    .requiredOption('--out <file>', 'the file, for instance report.html')
    .option('--overwrite', 'replace an existing file')
    .option(
      '--user <id>',
      'whose timeline is shown, by the id of the log (default: the first with enough of both lanes)',
    )
    .option('--no-person', "leave everybody's timeline out: the file then has nothing of any one person")
    .addOption(threadsOption())
    .addOption(deviceOption())
    .addOption(jsonOption())
    .action(async (directory: string, { json, ...request }: ReportFlags) => {
      if (request.user !== undefined && !request.person)
        throw new UsageError('--user and --no-person: say whose timeline is shown, or that nobody’s is');
      const told = await writeReport(directory, request);
      if (json) printJson(told);
      else printText(told.summary.join('\n\n'));
      note(`report: ${told.path}`);
    });
}
