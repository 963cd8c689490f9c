/**
 * `sesrec demo`: the main job from a log to reasons, offline, on a simulated shop. Knows the order of the steps and whom
 * to look at; each step is what a command of its own does, and demo-text.ts has the words.
 */
import { mkdir, readdir, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { Command } from 'commander';
import { audit, behaviour } from '../../analyse/index.js';
import { UserError, assert, at } from '../../base/index.js';
import { type AttributeColumn, type Dataset, FIRST_INDEX, loadDataset } from '../../data/index.js';
import { type Evaluation, compare, loadOrDrawCandidates } from '../../evaluate/index.js';
import { recentFeed } from '../../features/index.js';
import {
  type Case,
  type Run,
  type SesrecConfig,
  SesrecRanker,
  type SidedAction,
  dataOf,
  loadRun,
} from '../../model/index.js';
import { simulateData } from '../../simulate/index.js';
import type { Runtime } from '../../tensor/index.js';
import * as text from '../demo-text.js';
import { type ProtocolResult, evaluateRun } from '../evaluation.js';
import { type ComputeFlags, deviceOption, jsonOption, threadsOption, withRuntime } from '../options.js';
import { note, printJson, printText } from '../output.js';
import { recommendFor, tellAction } from '../recommending.js';
import { train } from '../training.js';
import { trainFlags } from './train.js';

/** Small enough for a minute and a half on two cores, large enough for the searches to be learnt from. */
const SITE = { users: 2000, items: 400, seed: 1, searchSignal: 1 } as const;
const TRAINING = `--epochs 7 --patience 3 --batch-size 128 --learning-rate 0.003 --item-attributes category,brand
  --set negativeSampling=uniform --set alignmentNegatives=128 --set window={"feed":10,"search":5}`;
const SIDES = ['similar', 'dissimilar'] as const;
/** Says that a directory is ours to empty. */
const MARK = '.sesrec-demo';

interface DemoFlags extends ComputeFlags {
  readonly out: string;
  readonly json?: boolean;
}

export function demoCommand(): Command {
  return new Command('demo')
    .description(
      'simulate a shop, train SESRec with and without its searches, evaluate, recommend with reasons (a minute and a half, offline)',
    )
    .option(
      '--out <directory>',
      'where the data and runs are put; replaced if it was made by the demo before',
      'runs/demo',
    )
    .addOption(threadsOption())
    .addOption(deviceOption())
    .addOption(jsonOption())
    .action(demo);
}

async function demo(flags: DemoFlags): Promise<void> {
  const start = performance.now();
  const say = flags.json ? note : printText;
  const [data, aware, blind] = ['data', 'sesrec', 'sesrec-without-search'].map((name) => join(flags.out, name)) as [
    string,
    string,
    string,
  ];
  await makeEmpty(flags.out, [data, aware, blind]);

  say(text.opening(SITE));
  const { manifest } = await simulateData({ ...SITE, out: data });
  const dataset = await loadDataset(data);
  const behaved = behaviour(dataset);
  say(text.site(dataset, behaved));

  const lists = await loadOrDrawCandidates(data, dataset);
  const audited = await audit(dataset, [{ name: `${lists.count} candidates`, lists }]);
  say(text.checked(audited));

  say(text.beforeTraining());
  const base = trainFlags([data, ...TRAINING.split(/\s+/), '--device', flags.device]);
  const threads = flags.threads === undefined ? {} : { threads: flags.threads };
  await train(data, { ...base, ...threads, out: aware });
  await train(data, { ...base, ...threads, out: blind, set: [...base.set, 'useSearch=false'] });

  const run = await loadRun(aware);
  const results = await evaluateBoth(run, await loadRun(blind), flags);
  const gains = results.map(([own, twin]) => compare(own as Evaluation, twin as Evaluation)['ndcg@10']);
  say(text.results(results, gains, run.manifest.config.window.feed));

  await withRuntime(flags, async (runtime) => {
    const { user, actions } = await choosePerson(run, runtime);
    const now = nowOf(run.dataset, run.dataset.users.index(user));
    const told = actions.map((action) => tellAction(run.dataset, now, action));
    say(text.timeline(user, told));
    const before = await recommendFor(run, runtime, { user, k: 5, explain: true, reasons: 3 });
    say(text.recommended(user, before.items));

    const [query, another] = queriesForSomethingElse(run.dataset, user, before.items) as [string, string];
    const after = await recommendFor(run, runtime, { user, search: query, k: 5, explain: true, reasons: 3 });
    say(text.searched(user, query, after.items));
    say(text.closing({ aware, user, query: another, seconds: (performance.now() - start) / 1000 }));

    if (flags.json) {
      printJson({
        data: manifest.hash,
        version: run.version,
        behaviour: behaved,
        audit: audited,
        results: results.flat().map(({ ranker, metrics, intervals, users, protocol, chance }) => ({
          ranker,
          metrics,
          intervals,
          users,
          protocol,
          chance,
        })),
        gains: Object.fromEntries(results.map(([own], i) => [(own as Evaluation).protocol.name, gains[i]])),
        user,
        timeline: told,
        items: before.items,
        search: { query, items: after.items },
      });
    }
  });
}

/** Makes the demo's folder, and removes what the demo made in it before; another folder that is not empty is refused. */
async function makeEmpty(out: string, made: readonly string[]): Promise<void> {
  await mkdir(out, { recursive: true });
  const found = await readdir(out);
  if (found.length > 0 && !found.includes(MARK))
    throw new UserError(`${out} is not empty and was not made by the demo: choose another --out`);
  await writeFile(join(out, MARK), 'Made by sesrec demo, which replaces what it made here before.\n');
  for (const directory of made) await rm(directory, { recursive: true, force: true });
}

/**
 * SESRec, its blind twin and popularity on the test events, under both protocols: one list of three per protocol. The
 * looks are recorded in the runs, as those of `sesrec evaluate` are.
 */
async function evaluateBoth(run: Run, twin: Run, flags: DemoFlags): Promise<Evaluation[][]> {
  const candidates = await loadOrDrawCandidates(dataOf(run.directory), run.dataset);
  const request = {
    on: 'test',
    protocols: ['sampled', 'full'],
    candidates,
    seed: 1,
    again: false,
    record: true,
  } as const;
  const [own, others] = [await evaluateRun(run, flags, request), await evaluateRun(twin, flags, request)];
  return own.results.map(({ evaluation, sanity }, position) => [
    { ...evaluation, ranker: 'SESRec' },
    { ...(others.results[position] as ProtocolResult).evaluation, ranker: 'SESRec, blind to searches' },
    sanity.find(({ ranker }) => ranker === 'popularity') as Evaluation,
  ]);
}

/**
 * The first person with both sides in both lanes: with them there is most to see. Where the model divides nobody so (other
 * processors round differently), the first with searches.
 */
async function choosePerson(run: Run, runtime: Runtime): Promise<{ user: string; actions: SidedAction[] }> {
  const { dataset, manifest, parameters } = run;
  const ranker = new SesrecRanker(manifest.config as SesrecConfig, parameters, dataset, runtime);
  let first: { user: string; actions: SidedAction[] } | null = null;
  for (let user = FIRST_INDEX; user < dataset.users.ids.length; user++) {
    const [actions] = (await ranker.sides([nowOf(dataset, user)])) as [SidedAction[]];
    const has = (lane: string, side: string): boolean =>
      actions.some((action) => action.lane === lane && action.side === side);
    const found = { user: dataset.users.ids[user] as string, actions };
    if (['feed', 'search'].every((lane) => SIDES.every((side) => has(lane, side)))) return found;
    if (actions.some(({ lane, side }) => lane === 'search' && side !== null)) first ??= found;
  }
  assert(first, 'people of the shop search');
  return first;
}

const nowOf = (dataset: Dataset, user: number): Case => ({ user, feedPosition: at(dataset.feedOffsets, user + 1) });

/**
 * Plain queries for things that are not among the items recommended to a person: first what they met, the latest first, then
 * anything.
 */
function queriesForSomethingElse(
  dataset: Dataset,
  user: string,
  recommended: readonly { item: string }[],
): readonly string[] {
  const category = dataset.itemAttributes.get('category') as AttributeColumn;
  const shown = new Set(recommended.map(({ item }) => at(category.index, dataset.items.index(item))));
  const met = recentFeed(dataset, nowOf(dataset, dataset.users.index(user)))
    .map((position) => at(category.index, at(dataset.feedItem, position)))
    .toReversed();
  return [...new Set([...met, ...category.values.ids.keys()])]
    .filter((value) => value >= FIRST_INDEX && !shown.has(value))
    .map((value) => category.values.ids[value] as string)
    .filter((name) => dataset.queries.has(name));
}
