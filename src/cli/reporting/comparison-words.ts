/**
 * What a comparison comes to, in sentences: the summary, the protocol, and what it cannot show. Knows how much a test or an interval
 * says; does not know pages.
 *
 * "Significant" is said of what was tested alone, and where both tests agree.
 */
import { counted, countOf } from '../../base/index.js';
import { type Protocol, type ProtocolName, TIE_RULE } from '../../evaluate/index.js';
import type { DataManifest } from '../../data/index.js';
import { epochsAllowed } from '../comparison/run-plans.js';
import type { ComparisonResults, RowResult } from '../comparison/results.js';
import { CHIEF, LEVEL, type ReferenceTest, type RunnerUpTest, order, verdictOf } from '../comparison/row-tests.js';
import { isTuned, ofSingleRows, probability } from '../comparison/table.js';
import { PROTOCOLS } from '../comparison/test-ranks.js';
import type { ComparisonFiles } from './gathering.js';
import type { Term } from './parts.js';
import { capital, decimals, listOf, numberWord, ordinal } from './numbers.js';

const LEVEL_TEXT = `${100 * LEVEL} % level`;

/** What a protocol is called. */
export const titleOf = ({ name, count }: Pick<Protocol, 'name' | 'count'>): string =>
  name === 'sampled' ? `Among ${counted(count)} candidates` : 'Among all items';

/** What was compared, then for each protocol what came out: one paragraph each. */
export function summaryOf({ results, data }: ComparisonFiles): string[] {
  const { rows, protocols } = results;
  const compared = `${capital(numberWord(rows.length))} recommenders on ${dataWords(results, data)}. ${effortOf(results)}`;
  if (!protocols) return [compared, 'None of them could be tested: all trainings failed.'];
  return [compared, ...PROTOCOLS.map((name) => outcomeOf(results, name))];
}

function dataWords({ data }: ComparisonResults, manifest: DataManifest | null): string {
  const size = `${countOf(data.users, 'user')}, ${countOf(data.items, 'item')}, ${countOf(data.feedEvents, 'feed event')} and ${counted(data.searches)} ${data.searches === 1 ? 'search' : 'searches'}`;
  const kind = manifest === null ? 'a log' : manifest.source.generator ? 'a simulated log' : 'a log';
  const constructed = isConstructed(manifest) ? ', the searches constructed from the items' : '';
  return `${kind} of ${size}${constructed}`;
}

function effortOf({ plan: { options }, rows }: ComparisonResults): string {
  const seeds = options.seeds === 1 ? 'once, with one seed' : `with ${numberWord(options.seeds)} seeds`;
  const tuned = isTuned(rows)
    ? `after at most ${countOf(options.trials, 'setting')} had been tried for it on validation`
    : 'with its usual settings or those that it was given, untuned';
  const finalists =
    options.finalists > 0 && options.finalistSeeds > options.seeds
      ? ` (the best ${numberWord(options.finalists)} on validation with ${numberWord(options.finalistSeeds)})`
      : '';
  return `Each that learns was trained ${seeds}${finalists}, ${tuned}; then each run ranked the held-out items of test users, once.${ofSingleRows(options.set)}`;
}

/** Who is best under a protocol, whether that is more than chance explains, and where SESRec stands. */
function outcomeOf(results: ComparisonResults, name: ProtocolName): string {
  const { protocol } = (results.protocols as NonNullable<typeof results.protocols>)[name];
  const ranked = order(results.rows, name, CHIEF);
  const [best, second] = ranked as [RowResult, RowResult | undefined];
  const first = `${titleOf(protocol)}, ${best.name} has the highest NDCG@10, ${meanOf(best, name)}${seedWords(best)}`;
  if (!second) return `${first}; there is no other row to compare it with.`;
  const test = results.tests.find(({ protocol, metric }) => protocol === name && metric === CHIEF);
  return [
    `${first}, before ${second.name} with ${meanOf(second, name)}${seedWords(second)}.`,
    test ? testWords(test) : '',
    othersWords(results, [best, second], name),
    [best, second].some(({ seeds }) => seeds.length === 1) ? 'What another training would come to is not known.' : '',
    standingOf(results.referenceTests, ranked, name),
  ]
    .filter(Boolean)
    .join(' ');
}

const valueOf = ({ test }: RowResult, name: ProtocolName): number =>
  (test as NonNullable<typeof test>)[name][CHIEF].mean;
const meanOf = (row: RowResult, name: ProtocolName): string => decimals(valueOf(row, name));

function seedWords({ seeds }: RowResult): string {
  if (seeds.length === 0) return ' (counted, no seeds)';
  return seeds.length === 1 ? ' (one seed)' : ` (mean of ${numberWord(seeds.length)} seeds)`;
}

function testWords(test: RunnerUpTest): string {
  const { difference, t, bootstrap } = test;
  if (Number.isNaN(difference.halfWidth) || Number.isNaN(t.p)) return 'That difference could not be tested.';
  const [low, high] = [difference.mean - difference.halfWidth, difference.mean + difference.halfWidth];
  const size = `The difference, ${decimals(difference.mean)} (95 % interval over users ${decimals(low)} to ${decimals(high)}),`;
  const ps = `corrected p ${pWords(t.holm)} by Student’s t and ${pWords(bootstrap.holm)} by bootstrap`;
  return verdictOf(test) === 'better'
    ? `${size} is significant at the ${LEVEL_TEXT} by both tests (${ps}): with these trainings, other users of the same kind would hardly reverse it.`
    : `${size} is not significant (${ps}): these users do not tell which of the two is better.`;
}

/** Which of the rows behind the second the best one was told from: of the second, another table's tests tell. */
function othersWords(
  { rows, referenceTests }: ComparisonResults,
  [best, second]: readonly [best: RowResult, second: RowResult],
  name: ProtocolName,
): string {
  const tests = referenceTests.filter(
    ({ reference, other, protocol }) => reference === best.label && other !== second.label && protocol === name,
  );
  if (tests.length === 0) return '';
  const open = tests.filter((test) => verdictOf(test) !== 'better').map(({ other }) => other);
  const behind = `the rows behind ${second.name}`;
  if (open.length === 0) return `${best.name} is significantly better than all of ${behind}.`;
  if (open.length === tests.length) return `${best.name} is not significantly better than any of ${behind}.`;
  const names = rows.flatMap(({ label, name }) => (open.includes(label) ? [name] : []));
  return `${best.name} is significantly better than all of ${behind} but ${listOf(names)}.`;
}

const pWords = (p: number): string => (p > 0.9999 ? '1' : probability(p));

/** Where SESRec stands, if it is among the rows: that of its rows that is best. */
function standingOf(tests: readonly ReferenceTest[], ranked: readonly RowResult[], name: ProtocolName): string {
  const own = ranked.find(({ model }) => model === 'sesrec');
  if (!own) return '';
  const place = ranked.indexOf(own) + 1;
  const called = own.name === 'SESRec' ? 'SESRec' : `The best SESRec row, ${own.name},`;
  if (place === 1) return `${called} is that best row.`;
  if (place === 2) return `${called} is that runner-up, of ${numberWord(ranked.length)} rows.`;
  const [best] = ranked as [RowResult];
  const pair = [best.label, own.label];
  const test = tests.find(
    ({ protocol, reference, other }) => protocol === name && pair.includes(reference) && pair.includes(other),
  );
  const tested = !test
    ? 'was not tested'
    : verdictOf(test) === 'not told apart'
      ? 'is not significant'
      : 'is significant';
  return `${called} is ${ordinal(place)} of ${numberWord(ranked.length)} with ${meanOf(own, name)}, ${decimals(valueOf(best, name) - valueOf(own, name))} below the best; this distance ${tested}.`;
}

/** The protocol for somebody who has not met one. */
export function protocolTerms({ results, data }: ComparisonFiles): Term[] {
  const { protocols, plan } = results;
  if (!protocols) return [];
  const { sampled, full } = protocols;
  const { runValidationUsers, validationProtocol } = plan.options;
  const users =
    runValidationUsers === undefined ? 'all users' : `a seeded sample of ${counted(runValidationUsers)} users`;
  const validated = validationProtocol === 'full' ? `${users}, ranked among all items` : users;
  const sample = full.users < sampled.users ? ', a seeded sample, the same for all rows of the table' : '';
  return [
    ['held out', heldOutWords(sampled.protocol, data)],
    ['history', HISTORY_WORDS],
    [
      titleOf(sampled.protocol).toLowerCase(),
      `The held-out item is ranked with ${counted(sampled.protocol.count)} others (${sampled.protocol.candidates}), the same lists for all models; ${counted(sampled.users)} users.`,
    ],
    [
      titleOf(full.protocol).toLowerCase(),
      `The held-out item is ranked in the whole catalogue, without the items that the person already knows from the history: ${counted(Math.round(full.protocol.count))} others on average, ${counted(full.users)} users${sample}.`,
    ],
    ['metrics', METRIC_WORDS],
    ['chance', 'What guessing gets under the same rules, exactly.'],
    [
      'choices',
      `Settings, finalists and the best epoch were chosen on validation (runs: ${validated}), those of a row before its own first look at the test. Each run looked at its test once for this comparison, and the look is recorded in the run.${lookedBefore(results)}`,
    ],
    [
      '±',
      'Half of the 95 % interval of the mean over seeds, by Student’s t with seeds − 1 degrees of freedom: how the figure varies with the training. It says nothing of other people. What is counted has no seeds and no such interval.',
    ],
    [
      'tests',
      `User by user, each user’s metric averaged over seeds first: they say how a difference varies with the people, given these trainings, and nothing of other trainings. p is corrected by Holm’s method for all tests of a table.`,
    ],
  ];
}

/** Which tests somebody had seen before, in a sentence. */
function lookedBefore({ rows }: ComparisonResults): string {
  const seen = rows.flatMap(({ seeds }) =>
    seeds.flatMap(({ run, look }) => (look > 1 ? [`${run} (look ${look})`] : [])),
  );
  return seen.length === 0 ? '' : ` Looked at before, outside of it: ${listOf(seen)}.`;
}

export const HISTORY_WORDS =
  'A model may use what the person did earlier in the log, by position and not by time stamp: feed events, searches, clicks. The search that led to the held-out event is not in its history.';
export const METRIC_WORDS = `HIT@k: the share of people whose item is among the first k. NDCG@k: the same, each counting 1 / log2(1 + rank). MRR: the mean of 1 / rank, without a cut-off. Ties: ${TIE_RULE}.`;

function heldOutWords({ split, leftOut, unknownTargets, newItems }: Protocol, data: DataManifest | null): string {
  const isGlobal = (data?.split.strategy ?? split) === 'global-time' || split.startsWith('global-time');
  const who = isGlobal
    ? `What a person first met in the feed after the test cut (${split}). Training is what happened before the validation cut, whoever did it.`
    : 'Leave-one-out: of everybody with at least three feed events, the last is the test and the one before it is for validation; all earlier ones are training.';
  const without = [
    leftOut > 0 ? `${countOf(leftOut, 'target')} without the history that is asked for` : '',
    unknownTargets > 0 ? `${countOf(unknownTargets, 'target')} whose item training does not know` : '',
  ].filter(Boolean);
  const also = newItems
    ? `Training does not know ${countOf(newItems.targets, 'target')} and ${countOf(newItems.items, 'candidate item')}: models see their attributes alone.`
    : '';
  const left = without.length === 0 ? '' : `Left out: ${without.join('; ')}.`;
  return [who, also, left].filter(Boolean).join(' ');
}

/** What a split cannot show that lets items in which nobody met before; nothing for others. */
export const newItemsLimit = (split: DataManifest['split']): string | null =>
  split.strategy === 'global-time' && split.newItems
    ? 'When an item was first offered, the log does not say: items that are new to training are candidates for everybody, also where they came only later.'
    : null;

/** What this comparison cannot show, each in a sentence or two. */
export function limitsOf({ results, data, missing, isBehind }: ComparisonFiles): string[] {
  const { plan, protocols, rows } = results;
  const { options } = plan;
  const seeds = [...new Set(rows.flatMap(({ seeds }) => (seeds.length > 0 ? [seeds.length] : [])))].sort(
    (a, b) => a - b,
  );
  const atTheEnd = rows.filter(({ label, seeds }) =>
    seeds.some(({ bestEpoch }) => bestEpoch >= epochsAllowed(options, label)),
  );
  const failed = rows.filter(({ failed }) => failed.length > 0);
  const limits: (string | false | null | undefined)[] = [
    missing.length > 0 &&
      `The comparison goes on: ${missing.join(', ')} ${missing.length === 1 ? 'was' : 'were'} added and ${missing.length === 1 ? 'is' : 'are'} not among these results yet.`,
    missing.length === 0 &&
      isBehind &&
      'The comparison goes on: it was asked for with other options since, and these results are of before.',
    'One data set. What holds here need not hold for other logs, sites or times.',
    data?.source.generator &&
      `The log is simulated (${data.source.generator.name} ${data.source.generator.version}${signalOf(data)}). Differences show what models can make of a site that is built this way, not what they make of people.`,
    isConstructed(data) &&
      `The searches are constructed: before every event stands a “search” for the text of its item (column ${String(data?.source.options['constructSearches'])}). Nobody typed them. Models that read searches are given item descriptions by another way, and a gain from them is not a gain from a search box.`,
    results.data.searches === 0 && 'The log has no searches: what search-aware models are made for is not tried here.',
    `Sampled metrics: an order of models among ${counted(protocols?.sampled.protocol.count ?? plan.candidates.count)} random candidates need not be their order among all items (Krichene and Rendle, KDD 2020), and figures of the two protocols are not to be compared.`,
    protocols &&
      protocols.full.users < protocols.sampled.users &&
      `The table among all items is of a seeded sample of ${counted(protocols.full.users)} of ${counted(protocols.sampled.users)} users.`,
    data?.split.strategy !== 'global-time' &&
      'Leave-one-out lets the future in: training holds events of other people that happened after some of the held-out ones. Figures are too good in absolute terms, and the order of models may suffer.',
    data && newItemsLimit(data.split),
    !isTuned(rows)
      ? 'Nothing was tuned here. Usual settings are those of the publications or of this program, and suit some models better than others; what was chosen for settings that rows are given, this comparison does not know.'
      : `Tuning was cheap: at most ${countOf(options.trials, 'setting')} per model, ${countOf(options.tuningEpochs, 'epoch')} each, one seed. A model that needs more of it is shown below its worth.`,
    atTheEnd.length > 0 &&
      `Not trained to the end: ${listOf(atTheEnd.map(({ name }) => name))} had the best epoch of some run in the last one allowed, and might gain by more.`,
    seedLimits(seeds),
    'Significance is about people, not about trainings: a test says how sure a difference is for other users, given these trainings. The best row was picked by the same figures that it is tested on, so p is a little too small.',
    'A person’s next event in the log is taken for the right answer. Whether they would have liked what was recommended instead, nobody knows.',
    failed.length > 0 &&
      `Trainings of ${listOf(failed.map(({ name }) => name))} failed; their rows are of what was left.`,
  ];
  return limits.filter((limit): limit is string => typeof limit === 'string');
}

function seedLimits(seeds: readonly number[]): string | false {
  if (seeds.length === 0) return false;
  const [least] = seeds as readonly [number];
  if (least === 1)
    return 'One seed: how much a figure varies with the training is not known for rows without an interval.';
  const many = seeds.map(numberWord).join(' or ');
  return `${capital(many)} seeds: intervals over so few are wide, and an interval that does not overlap another’s is no test.`;
}

const isConstructed = (data: DataManifest | null): boolean =>
  typeof data?.source.options['constructSearches'] === 'string';

function signalOf(data: DataManifest): string {
  const signal = data.source.generator?.options['searchSignal'];
  return typeof signal === 'number' ? `, search signal ${signal}` : '';
}
