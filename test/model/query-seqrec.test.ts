import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { Random } from '../../src/base/index.js';
import { type Case, recentFeed, recentSearches } from '../../src/features/index.js';
import { GraphRanker } from '../../src/model/index.js';
import { range } from '../support/layer-check.js';
import {
  Plain,
  type TinyModel,
  checkModelGradients,
  checkParts,
  checkRanker,
  checkScores,
  dotOf,
  logitsOf,
  tinyBatch,
  tinyCandidates,
  tinyCases,
  tinyModel,
  trainingGraph,
} from '../support/plain-model.js';
import { PlainTransformer } from '../support/plain-transformer.js';
import { runtimeForTests } from '../support/runtime.js';

const runtime = runtimeForTests();

const small = { itemIdWidth: 3, tokens: 5, replaceItems: 0, replaceQueries: 0 };
const replacing = { ...small, replaceItems: 0.5, replaceQueries: 0.5 };

interface Token {
  readonly ordinal: number;
  readonly vector: readonly number[];
  /** Of a click: what it was on. Of a feed event: what led to it. */
  readonly link: string;
  readonly kind: 'feed' | 'search' | 'click';
}

/** Sheet 11: the tokens of the windows in order of time. */
function plainTokens({ dataset, config }: TinyModel, plain: Plain, moment: Case): Token[] {
  const typed = (vector: readonly number[], type: number): number[] =>
    vector.map((value, at) => value + (plain.row('token.type', type)[at] as number));
  const target = dataset.feedOrdinal[moment.feedPosition];
  const end = moment.feedPosition < (dataset.feedOffsets[moment.user + 1] as number) ? (target as number) : Infinity;
  const tokens: Token[] = [];
  for (const search of recentSearches(dataset, moment, config.window.search)) {
    const query = plain.linear('query.projection', plain.query(dataset.searchQuery[search] as number));
    const ordinal = dataset.searchOrdinal[search] as number;
    tokens.push({ ordinal, vector: typed(query, 1), link: '', kind: 'search' });
    const clicks = range(dataset.clickOffsets[search + 1] as number).slice(dataset.clickOffsets[search]);
    const seen = clicks.filter((click) => (dataset.clickOrdinal[click] as number) < end);
    for (const click of config['clickTokens'] ? seen.slice(0, config.window.clicks) : []) {
      const item = dataset.clickItem[click] as number;
      const at = dataset.clickOrdinal[click] as number;
      tokens.push({ ordinal: at, vector: typed(plain.item(item), 0), link: `${search} ${item}`, kind: 'click' });
    }
  }
  for (const position of recentFeed(dataset, moment, config.window.feed)) {
    const item = dataset.feedItem[position] as number;
    const ordinal = dataset.feedOrdinal[position] as number;
    const link = `${dataset.feedSearch[position]} ${item}`;
    tokens.push({ ordinal, vector: typed(plain.item(item), 0), link, kind: 'feed' });
  }
  tokens.sort((a, b) => a.ordinal - b.ordinal);
  const isOneWith = (token: Token, next?: Token): boolean =>
    token.kind === 'click' && next?.kind === 'feed' && next.link === token.link;
  const kept = tokens.filter((token, at) => !config['mergeClicks'] || !isOneWith(token, tokens[at + 1]));
  return kept.slice(-(config['tokens'] as number));
}

function plainScore(tiny: TinyModel, moment: Case, item: number): number {
  const plain = new Plain(tiny);
  const transformer = new PlainTransformer(tiny.parameters.dense(), {
    heads: tiny.config['heads'] as number,
    epsilon: 1e-8,
    norm: 'pre',
  });
  const tokens = plainTokens(tiny, plain, moment).map(({ vector }, position) =>
    vector.map((value, at) => value + (plain.row('token.position', position)[at] as number)),
  );
  const read = transformer.blocks('encoder', tiny.config['blocks'] as number, tokens, (s) => range(s + 1));
  const last = read.at(-1) ?? plain.item(item).map(() => 0);
  return dotOf(transformer.normalised('encoder.norm', last), plain.item(item));
}

describe('Query-SeqRec', () => {
  for (const [what, changes] of [
    ['', {}],
    [', clicks and what they led to apart', { mergeClicks: false, tokens: 9 }],
    [', without clicks', { clickTokens: false, blocks: 1 }],
  ] as const)
    test(`scores as plain loops do${what}, whatever histories there are`, () => {
      const tiny = tinyModel('query-seqrec', { ...small, ...changes });
      checkScores(tiny, (moment, item) => plainScore(tiny, moment, item));
    });

  test('has the gradients of its loss', async () => {
    const tiny = tinyModel('query-seqrec', replacing);
    const cases = tinyCases(tiny.dataset).slice(0, 3);
    const batch = tinyBatch(tiny, cases);
    await checkModelGradients(runtime, trainingGraph(tiny, batch));
  });

  test('has losses and gradients that add up over parts of a batch, replacements and all', () =>
    checkParts(tinyModel('query-seqrec', replacing)));

  test('ranks as it trains, but for replacements', async () => {
    await checkRanker(runtime, tinyModel('query-seqrec', small));
    const [plain, replaced] = [small, replacing].map((settings) => {
      const tiny = tinyModel('query-seqrec', settings);
      const cases = tinyCases(tiny.dataset);
      const candidates = tinyCandidates(tiny.dataset, cases);
      const batch = tinyBatch(tiny, cases, candidates);
      const ranker = new GraphRanker(tiny.model, tiny.parameters, tiny.dataset, runtime);
      return { trained: logitsOf(trainingGraph(tiny, batch)), ranked: ranker.score(cases, candidates, 3) };
    });
    assert.notDeepEqual(replaced?.trained, plain?.trained);
    assert.deepEqual(await replaced?.ranked, await plain?.ranked);
  });

  test('replaces otherwise when the training draws anew', () => {
    const tiny = tinyModel('query-seqrec', replacing);
    const cases = tinyCases(tiny.dataset);
    const candidates = tinyCandidates(tiny.dataset, cases);
    const logits = (epoch: number): Float64Array => {
      const draws = (purpose: string, row: number): Random => new Random(purpose, epoch, row);
      const batch = tinyBatch(tiny, cases, candidates, { draws });
      return logitsOf(trainingGraph(tiny, batch));
    };
    assert.deepEqual(logits(1), logits(1));
    assert.notDeepEqual(logits(1), logits(2));
  });

  test('knows whether a search came before an event or after it', () => {
    const tiny = tinyModel('query-seqrec', { ...small, tokens: 9 });
    const { dataset } = tiny;
    const user = dataset.users.index('dan');
    const moment: Case = { user, feedPosition: dataset.feedOffsets[user + 1] as number };
    const [last] = recentSearches(dataset, moment).slice(-1) as [number];
    const searchOrdinal = dataset.searchOrdinal.slice();
    const clickOrdinal = dataset.clickOrdinal.slice();
    searchOrdinal[last] = 1000; // now it is the newest of all
    clickOrdinal[dataset.clickOffsets[last] as number] = 1001;
    const [one, other] = [dataset, { ...dataset, searchOrdinal, clickOrdinal }].map((own) => {
      const batch = tinyBatch(
        { ...tiny, dataset: own, model: tinyModel('query-seqrec', { ...small, tokens: 9 }, own).model },
        [moment],
        Int32Array.of(5, 6, 7),
      );
      return logitsOf(trainingGraph(tiny, batch));
    });
    assert.notDeepEqual(one, other);
  });

  test('cannot have heads that do not share the width of an item', () => {
    assert.throws(() => tinyModel('query-seqrec', { itemIdWidth: 2 }), /item width of 3 .* 2 heads/);
  });
});
