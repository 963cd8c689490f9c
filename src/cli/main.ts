/**
 * The command line: parses, calls, prints. Knows the commands by name and how errors are told; does not know what any
 * of them does.
 */
import { Command, CommanderError } from 'commander';
import { UserError, programVersion } from '../base/index.js';
import { note } from './output.js';

/** The commands, in the order of the help. All of them are two thousand files of ours and others, so what is not asked for is not loaded. */
const COMMANDS: Readonly<Record<string, () => Promise<Command>>> = {
  import: async () => (await import('./commands/import.js')).importCommand(),
  check: async () => (await import('./commands/check.js')).checkCommand(),
  simulate: async () => (await import('./commands/simulate.js')).simulateCommand(),
  analyse: async () => (await import('./commands/analyse.js')).analyseCommand(),
  audit: async () => (await import('./commands/audit.js')).auditCommand(),
  models: async () => (await import('./commands/models.js')).modelsCommand(),
  train: async () => (await import('./commands/train.js')).trainCommand(),
  evaluate: async () => (await import('./commands/evaluate.js')).evaluateCommand(),
  compare: async () => (await import('./commands/compare.js')).compareCommand(),
  recommend: async () => (await import('./commands/recommend.js')).recommendCommand(),
  export: async () => (await import('./commands/export.js')).exportCommand(),
  serve: async () => (await import('./commands/serve.js')).serveCommand(),
  recover: async () => (await import('./commands/recover.js')).recoverCommand(),
  keys: async () => (await import('./commands/keys.js')).keysCommand(),
  report: async () => (await import('./commands/report.js')).reportCommand(),
  reproduce: async () => (await import('./commands/reproduce.js')).reproduceCommand(),
  parity: async () => (await import('./commands/parity.js')).parityCommand(),
  demo: async () => (await import('./commands/demo.js')).demoCommand(),
};

/** Commands for programs, of which no help tells. */
const TASKS = ['score-task', 'share-task', 'sum-task'];

/**
 * All commands, or what the first word of a call asks for; nothing of it runs yet.
 * @param first a word that names no command asks for all, so that help and mistakes tell of all
 */
export async function createProgram(first?: string): Promise<Command> {
  const program = new Command('sesrec')
    .description(
      'search-enhanced sequential recommendation: learn from the search box and the feed, recommend with reasons',
    )
    .version(programVersion())
    .configureOutput({ outputError: (text, write) => write(text.replace(/^error: /, 'sesrec: ')) })
    .showHelpAfterError('(--help lists what there is)');
  const isTask = first !== undefined && TASKS.includes(first);
  const asked = Object.entries(COMMANDS).filter(([name]) => name === first);
  const isAll = asked.length === 0 && !isTask && first !== '--version';
  for (const [, load] of isAll ? Object.entries(COMMANDS) : asked) program.addCommand(await load());
  if (isAll || isTask)
    for (const command of (await import('./commands/tasks.js')).taskCommands())
      program.addCommand(command, { hidden: true });
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
    const program = await createProgram(args[0]);
    await program.parseAsync(args, { from: 'user' });
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
