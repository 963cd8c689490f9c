/**
 * The command line: parses, calls, prints. Knows the commands by name and how errors are told; does not know what any
 * of them does.
 */
import { Command, CommanderError } from 'commander';
import { UserError, programVersion } from '../base/index.js';
import { auditCommand } from './commands/audit.js';
import { analyseCommand } from './commands/analyse.js';
import { checkCommand } from './commands/check.js';
import { compareCommand } from './commands/compare.js';
import { demoCommand } from './commands/demo.js';
import { evaluateCommand } from './commands/evaluate.js';
import { exportCommand } from './commands/export.js';
import { importCommand } from './commands/import.js';
import { keysCommand } from './commands/keys.js';
import { modelsCommand } from './commands/models.js';
import { parityCommand } from './commands/parity.js';
import { recommendCommand } from './commands/recommend.js';
import { reportCommand } from './commands/report.js';
import { reproduceCommand } from './commands/reproduce.js';
import { recoverCommand } from './commands/recover.js';
import { serveCommand } from './commands/serve.js';
import { simulateCommand } from './commands/simulate.js';
import { taskCommands } from './commands/tasks.js';
import { trainCommand } from './commands/train.js';
import { note } from './output.js';

/** All commands; nothing of it runs yet. */
export function createProgram(): Command {
  const program = new Command('sesrec')
    .description(
      'search-enhanced sequential recommendation: learn from the search box and the feed, recommend with reasons',
    )
    .version(programVersion())
    .configureOutput({ outputError: (text, write) => write(text.replace(/^error: /, 'sesrec: ')) })
    .showHelpAfterError('(--help lists what there is)');
  const commands = [
    importCommand(),
    checkCommand(),
    simulateCommand(),
    analyseCommand(),
    auditCommand(),
    modelsCommand(),
    trainCommand(),
    evaluateCommand(),
    compareCommand(),
    recommendCommand(),
    exportCommand(),
    serveCommand(),
    recoverCommand(),
    keysCommand(),
    reportCommand(),
    reproduceCommand(),
    parityCommand(),
    demoCommand(),
  ];
  for (const command of commands) program.addCommand(command);
  for (const command of taskCommands()) program.addCommand(command, { hidden: true });
  for (const command of everyCommand(program)) {
    command.exitOverride().copyInheritedSettings(program);
    refuseFlagsAsValues(command);
  }
  return program;
}

/** `--out --json` is a forgotten value; commander would take the flag for it, and make a directory of that name. */
function refuseFlagsAsValues(command: Command): void {
  const flags = new Set(command.options.flatMap(({ long, short }) => [long, short]));
  for (const option of command.options)
    command.on(`option:${option.name()}`, (value: unknown) => {
      if (typeof value === 'string' && flags.has(value))
        command.error(`error: option '${option.flags}' needs a value, and ${value} is another option`, { exitCode: 2 });
    });
}

/** Runs one command; returns the exit code: 0 done, 1 the input or a check failed, 2 wrong usage, 70 a bug, 130 interrupted. */
export async function main(args: readonly string[]): Promise<number> {
  try {
    await createProgram().parseAsync(args, { from: 'user' });
    return 0;
  } catch (error) {
    if (error instanceof CommanderError) return error.exitCode === 0 ? 0 : 2;
    if (error instanceof UserError) {
      note(`sesrec: ${error.message.replaceAll(/\s*\n\s*/g, ' ')}`);
      return error.exitCode;
    }
    if (isRefusalOfTheSystem(error)) {
      note(`sesrec: the system refused: ${error.message}`);
      return 1;
    }
    note(error instanceof Error ? (error.stack ?? error.message) : String(error));
    note('This is a bug in sesrec; please report it with the lines above.');
    return 70;
  }
}

/** A full disk, a file where a directory should be, a missing permission: errors of Node.js that name the system call. */
function isRefusalOfTheSystem(error: unknown): error is NodeJS.ErrnoException {
  return error instanceof Error && 'syscall' in error && 'errno' in error;
}

function everyCommand(command: Command): Command[] {
  return [command, ...command.commands.flatMap(everyCommand)];
}
