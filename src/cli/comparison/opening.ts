/**
 * A comparison begun, or opened again. Knows what a call that goes on must agree with, and the lists that a comparison keeps; does not know
 * what a plan is made of (plan.ts), nor what is done of it.
 */
import { mkdir, readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { isDeepStrictEqual } from 'node:util';
import { CorruptFileError, UserError, countOf, isThere, takeLock, writeAtomically } from '../../base/index.js';
import { type Dataset, loadDataset } from '../../data/index.js';
import {
  type Candidates,
  type ProtocolName,
  drawCandidates,
  hashCandidates,
  readCandidatesFile,
  saveCandidates,
} from '../../evaluate/index.js';
import { lockOf } from '../../model/index.js';
import type { Environment } from '../environment.js';
import { checkDevice, optionName, readSetting } from '../options.js';
import { note } from '../output.js';
import { type Entry, isTrained } from './entries.js';
import { type ComparisonFlags, type ComparisonOptions, optionsOf } from './options.js';
import { type CommandFor, type Comparison, type ComparisonPlan, PLAN_FILE, newPlan, readPlan } from './plan.js';
import { checkTrials, seedsOf } from './run-plans.js';

const candidatesOf = (directory: string): string => join(directory, 'candidates.jsonl.gz');

/**
 * Makes a comparison, or goes on with the one in `out`. `said`: the options that were given, not left to their defaults; going
 * on holds these to what the comparison was begun with, but more models may be named. The caller releases its lock.
 */
export async function openComparison(
  data: string,
  flags: ComparisonFlags,
  said: readonly string[],
  commandFor: CommandFor,
): Promise<Comparison> {
  const { out } = flags;
  const recorded = await readPlan(out);
  if (!recorded) await refuseOthers(out);
  const dataset = await loadDataset(data);
  if (recorded && recorded.dataHash !== dataset.manifest.hash)
    throw new UserError(`${out} compares on other data than ${data}: go on with the data it was begun with`);
  const candidates = await candidatesFor(dataset, flags, said, recorded);
  const kept = candidates.seed === null ? { candidates: candidatesOf(out) } : {};
  const asked = newPlan(dataset, candidates, recorded ? optionsGoingOn(recorded, flags, said) : flags, (options) =>
    commandFor({ ...options, ...kept }),
  );
  const plan = recorded ? agreed(recorded, asked, { out, said }) : asked;
  for (const entry of plan.entries) if (isTrained(entry)) checkTrials(dataset, plan.options, entry);
  await checkDevice(flags);
  await mkdir(out, { recursive: true });
  await takeLock(lockOf(out), 'is working on this comparison');
  if (!recorded && candidates.seed === null) await saveCandidates(candidatesOf(out), candidates, dataset);
  await writeAtomically(join(out, PLAN_FILE), `${JSON.stringify(plan, null, 2)}\n`);
  return { directory: out, data, dataset, candidates, plan };
}

/** The lists of validation and test: as recorded, else from a file or drawn. */
async function candidatesFor(
  dataset: Dataset,
  { out, candidates, candidateCount }: ComparisonFlags,
  said: readonly string[],
  recorded: ComparisonPlan | null,
): Promise<Candidates> {
  const given = candidates === undefined ? null : await readCandidatesFile(candidates, dataset);
  if (!recorded) {
    if (given && said.includes('candidateCount') && given.count !== candidateCount)
      throw new UserError(`${candidates} has ${given.count} candidates per user: leave --candidate-count out`);
    return given ?? drawCandidates(dataset, { count: candidateCount });
  }
  if (given && hashCandidates(given, dataset) !== recorded.candidates.hash)
    throw new UserError(`${out} was begun with other candidates than ${candidates}: leave --candidates out to go on`);
  const { hash, count, seed } = recorded.candidates;
  const lists =
    seed === null ? await readCandidatesFile(candidatesOf(out), dataset) : drawCandidates(dataset, { count, seed });
  if (hashCandidates(lists, dataset) !== hash)
    throw new CorruptFileError(`${candidatesOf(out)} is damaged: it does not hold the lists ${hash.slice(0, 12)}`);
  return lists;
}

/** Refuses a directory that has something else in it. */
async function refuseOthers(directory: string): Promise<void> {
  const others = (await isThere(directory)) ? await readdir(directory) : [];
  // a process that was killed before its first file leaves a lock
  if (others.some((name) => name !== 'lock' && name !== 'candidates.jsonl.gz' && !name.endsWith('.tmp')))
    throw new UserError(`${directory} already exists and is not a comparison: choose another --out`);
}

/** What a call that goes on may have more of. */
const GROWING = ['seeds', 'finalists', 'finalistSeeds'];

/** What a call that goes on may have otherwise: rows are checked one by one, and what is tested with what changes no rank. */
const FREE = ['models', 'set', 'reference'];

/** The options of a call that goes on: what is not said is as recorded, what is said must be the same, but for rows, seeds and tests. */
function optionsGoingOn(
  { options }: ComparisonPlan,
  flags: ComparisonFlags,
  said: readonly string[],
): ComparisonOptions {
  // comparisons of before there was a choice have no word of it
  const was: Readonly<Record<string, string | number | undefined>> = {
    validationProtocol: 'sampled' satisfies ProtocolName,
    ...(options as unknown as Readonly<Record<string, string | number>>),
  };
  const now = flags as unknown as Readonly<Record<string, string | number>>;
  for (const name of said) {
    if (!Object.hasOwn(optionsOf(flags), name) || FREE.includes(name) || now[name] === was[name]) continue;
    if (GROWING.includes(name) && Number(now[name]) > Number(was[name])) continue;
    throw new UserError(
      `${flags.out} was begun with ${optionName(name)} ${was[name] ?? 'left out'}, not ${now[name]}: go on as it was begun, or choose another --out`,
    );
  }
  const more = Object.fromEntries(
    [...FREE, ...GROWING].filter((name) => said.includes(name)).map((name) => [name, now[name]]),
  );
  return { ...options, ...more };
}

/** What was begun, with the rows that are new. */
function agreed(
  recorded: ComparisonPlan,
  asked: ComparisonPlan,
  { out, said }: { readonly out: string; readonly said: readonly string[] },
): ComparisonPlan {
  for (const [what, version] of Object.entries(asked.madeWith))
    if (recorded.madeWith[what as keyof Environment['versions']] !== version)
      note(
        `begun with ${what} ${recorded.madeWith[what as keyof Environment['versions']]}, going on with ${version}: results may differ in their last digits`,
      );
  const { options } = asked;
  const command = isDeepStrictEqual(options, recorded.options) ? recorded.command : asked.command;
  const grown = { ...recorded, command, options };
  if (!said.includes('models') && !said.includes('set')) return grown;
  for (const before of recorded.entries) {
    const now = asked.entries.find(({ label }) => label === before.label);
    if (!now)
      throw new UserError(`${out} was begun with ${before.label}, which --models leaves out: go on as it was begun`);
    if (essence(now) !== essence(before))
      throw new UserError(`${out} was begun with other settings of ${before.label}: go on as it was begun`);
    if (isTrained(now) && isTrained(before) && seedsOf(options, now) < seedsOf(recorded.options, before))
      throw new UserError(
        `${out} was begun with ${countOf(seedsOf(recorded.options, before), 'seed')} of ${before.label}, not ${seedsOf(options, now)}: there may be more, not fewer`,
      );
  }
  const known = new Map(recorded.entries.map((entry) => [entry.label, entry]));
  const added = asked.entries.filter(({ label }) => !known.has(label));
  if (added.length > 0) note(`new in the comparison: ${added.map(({ label }) => label).join(', ')}`);
  // what was declared worth trying stays; seeds may be others
  const entries = asked.entries.map((entry) => {
    const before = known.get(entry.label);
    return before && isTrained(before) && isTrained(entry) ? { ...before, set: entry.set } : (before ?? entry);
  });
  return { ...grown, entries };
}

/** What a row is, without what was declared worth trying when it was begun, and without how often it is trained. */
function essence(entry: Entry): string {
  if (!isTrained(entry)) return JSON.stringify([entry.model]);
  return JSON.stringify([
    entry.model,
    entry.preset,
    entry.set.filter((setting) => readSetting(setting).name !== 'seeds'),
  ]);
}
