/**
 * `sesrec demo`: the main job from a log to reasons, offline, in about a minute. Knows the order of the steps and what
 * to point out; each step is the command a person would type, run on a small log made here.
 */
import { mkdir, readdir, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { Command } from 'commander';
import { UserError } from '../../base/index.js';
import { importEvents, writePlantedLog } from '../../data/index.js';
import { loadOrDrawCandidates } from '../../evaluate/index.js';
import { dataOf, loadRun } from '../../model/index.js';
import { type ProtocolResult, evaluateRun } from '../evaluation.js';
import { type ComputeFlags, deviceOption, jsonOption, threadsOption, withRuntime } from '../options.js';
import { note, printJson, printText } from '../output.js';
import { evaluationTable } from './evaluate.js';
import { recommendFor, recommendationText } from './recommend.js';
import { train } from '../training.js';
import { trainFlags } from './train.js';

/** Small enough for a minute on two cores, large enough for chance to be far away. */
const LOG = { users: 400, items: 200, categories: 10, eventsPerUser: 12, seed: 7 } as const;
/**
 * Shorter than a history: SESRec counts positions from the oldest kept action, so a log in which all histories are equally
 * long would meet positions in the test that it never met in training.
 */
const WINDOW = 'window={"feed":5,"search":5}';
const USER = 'u5';
/** Says that a directory is ours to empty. */
const MARK = '.sesrec-demo';

interface DemoFlags extends ComputeFlags {
  readonly out: string;
  readonly json?: boolean;
}

export function demoCommand(): Command {
  return new Command('demo')
    .description(
      'make a small log, train SESRec with and without its searches, evaluate, recommend with reasons (about a minute, offline)',
    )
    .option(
      '--out <directory>',
      'where the log, data and runs are put; replaced if it was made by the demo before',
      'runs/demo',
    )
    .addOption(threadsOption())
    .addOption(deviceOption())
    .addOption(jsonOption())
    .action(async (flags: DemoFlags) => {
      const say = flags.json ? note : printText;
      const at = (name: string): string => join(flags.out, name);
      await mkdir(flags.out, { recursive: true });
      const found = await readdir(flags.out);
      if (found.length > 0 && !found.includes(MARK))
        throw new UserError(`${flags.out} is not empty and was not made by the demo: choose another --out`);
      await writeFile(at(MARK), 'Made by sesrec demo, which replaces what it made here before.\n');
      for (const made of ['events.jsonl', 'data', 'sesrec', 'sesrec-without-search'])
        await rm(at(made), { recursive: true, force: true });

      say(
        `1. A log of ${LOG.users} users and ${LOG.items} items: what a person searches for announces the category of the next item.`,
      );
      await writePlantedLog(LOG, at('events.jsonl'));
      const { manifest } = await importEvents({ files: [at('events.jsonl')], out: at('data') });
      const imported = manifest.counts[0];
      say(
        `   ${imported?.feed} feed events, ${imported?.searches} searches; the last item of every user is kept for the test.\n`,
      );

      say('2. Train SESRec, and its twin that cannot see searches.');
      const base = trainFlags([
        at('data'),
        '--epochs',
        '10',
        '--batch-size',
        '64',
        '--patience',
        '3',
        '--set',
        'alignmentNegatives=128',
        '--set',
        WINDOW,
        ...(flags.threads === undefined ? [] : ['--threads', String(flags.threads)]),
        '--device',
        flags.device,
      ]);
      await train(at('data'), { ...base, out: at('sesrec') });
      await train(at('data'), { ...base, out: at('sesrec-without-search'), set: [...base.set, 'useSearch=false'] });

      say('\n3. Where does the held-out item stand among 99 others the user never met?');
      const looks: ProtocolResult[] = [];
      for (const name of ['sesrec', 'sesrec-without-search']) {
        const run = await loadRun(at(name));
        const candidates = await loadOrDrawCandidates(dataOf(run.directory), run.dataset, { seed: 1 });
        const request = {
          on: 'test',
          protocols: ['sampled'],
          candidates,
          seed: 1,
          again: false,
          record: true,
        } as const;
        looks.push(...(await evaluateRun(run, flags, request)).results);
      }
      const [whole, twin] = looks as [ProtocolResult, ProtocolResult];
      const results = [
        { ...whole.evaluation, ranker: 'sesrec' },
        { ...twin.evaluation, ranker: 'sesrec without search' },
        ...whole.sanity,
      ];
      say(evaluationTable(results));

      say(`\n4. What comes next for user ${USER}, and why?`);
      const run = await loadRun(at('sesrec'));
      const items = await withRuntime(flags, (runtime) =>
        recommendFor(run, runtime, { user: USER, k: 5, explain: true, reasons: 1 }),
      );
      say(recommendationText(items));

      say(`\nGo on with
   npx sesrec recommend ${at('sesrec')} --user u6 --k 10 --explain
   npx sesrec evaluate ${at('sesrec')} --protocol full
   npx sesrec import interactions --help      # your own log`);
      if (flags.json) {
        printJson({
          data: manifest.hash,
          results: results.map(({ ranker, metrics, users }) => ({ ranker, metrics, users })),
          chance: results[0]?.chance,
          protocol: results[0]?.protocol,
          user: USER,
          items,
        });
      }
    });
}
