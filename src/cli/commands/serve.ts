/** `sesrec serve`: a trained run behind HTTP. Knows flags, signals and streams; the server is in serve/. */
import { once } from 'node:events';
import { setFlagsFromString } from 'node:v8';
import { Command, InvalidArgumentError, Option } from 'commander';
import {
  NO_KEYS,
  SETTINGS,
  type Setting,
  configure,
  shownSetting,
  startServer,
  variableOf,
} from '../../serve/index.js';
import { jsonOption, numberFrom, optionName, wholeNumber } from '../options.js';
import { note, printJson, printText } from '../output.js';
import { experimentsIn } from '../experiments/index.js';
import { openEngine, runsOf } from '../serving.js';
import { programVersion } from '../../base/index.js';
import { readKeys } from './keys.js';

interface ServeFlags {
  readonly config?: string;
  readonly printConfig?: boolean;
  readonly json?: boolean;
  [setting: string]: unknown;
}

/**
 * How far the old generation of a server's heap may grow, in percent, before it is looked through: five times what lives. Usually it is looked through
 * every few seconds under load, each time for some tens of milliseconds, and what lives is small (60 MB with 61,934 items).
 */
const HEAP_GROWING_PERCENT = 400;

export function serveCommand(): Command {
  const command = new Command('serve')
    .description('answers over HTTP with a trained run: events in, recommendations with reasons out (docs/serving.md)')
    .argument('<run>', 'a directory made by sesrec train')
    .option('--config <file>', 'a JSON file of settings; flags and environment come before it')
    .option('--print-config', 'print every setting and where it comes from, and end');
  for (const [name, setting] of SETTINGS) command.addOption(optionOf(name, setting));
  return command
    .option('--no-page', 'the same as --page off')
    .addOption(jsonOption())
    .action(async (run: string, { config, printConfig, json, ...flags }: ServeFlags) => {
      if (flags['page'] === false) flags['page'] = 'off';
      const { values, origins } = await configure({ flags, environment: process.env, file: config });
      if (printConfig) {
        const shown = Object.entries(values).map(([name, value]) => [name, shownSetting(name, value)] as const);
        return printJson({ settings: Object.fromEntries(shown), origins });
      }
      setFlagsFromString(`--heap-growing-percent=${HEAP_GROWING_PERCENT}`);
      const keys = values.keys === '' ? NO_KEYS : await readKeys(values.keys);
      const server = await startServer(async (metrics) => openEngine(run, values, metrics, tell), {
        configuration: values,
        keys,
        experiments: experimentsIn(runsOf(run, values)),
        version: programVersion(),
        logStream: process.stderr,
      });
      const { url, adminUrl } = server;
      if (json) printJson({ url, adminUrl });
      else
        printText(`${url}  (${values.page === 'on' ? 'open it to see the page; ' : ''}metrics: ${adminUrl}/metrics)`);
      if (keys.keys.length === 0) note('no keys: everybody on this machine may do everything; see sesrec keys');
      await Promise.race([once(process, 'SIGTERM'), once(process, 'SIGINT')]);
      await server.stop();
    });
}

/** A line of the log that is not about a request. */
function tell(line: Readonly<Record<string, unknown>>): void {
  process.stderr.write(`${JSON.stringify({ time: new Date().toISOString(), ...line })}\n`);
}

function optionOf(name: string, { type, default: usual, description, enum: words, minimum, maximum }: Setting): Option {
  const shown = usual === '' ? '' : `; default: ${usual}`;
  const option = new Option(
    `${optionName(name)} <${type === 'string' ? 'text' : 'number'}>`,
    `${description} (${variableOf(name)}${shown})`,
  );
  if (type === 'integer') option.argParser(wholeNumber(minimum ?? 0, maximum));
  else if (type === 'number') option.argParser(numberFrom(minimum ?? 0, maximum));
  else if (words)
    option.argParser((text: string) => {
      if (!words.includes(text)) throw new InvalidArgumentError(`give one of ${words.join(', ')}.`);
      return text;
    });
  return option;
}
