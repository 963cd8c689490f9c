/**
 * What the demo says, for somebody who never heard of SESRec. Knows words and tables; does not know how anything is
 * worked out.
 */
import { counted } from '../base/index.js';
import type { AuditReport, Behaviour, Share } from '../analyse/index.js';
import type { Dataset } from '../data/index.js';
import type { Difference, Evaluation, MetricName } from '../evaluate/index.js';
import type { SimulatorOptions } from '../simulate/index.js';
import { duration } from './progress.js';
import { type ToldAction, type ToldRecommendation, actionText, recommendationText } from './recommending.js';
import { textTable } from './table.js';

const percent = ({ share }: Pick<Share, 'share'>): string => `${(100 * share).toFixed(0)} %`;
const figure = (value: number): string => value.toFixed(3);

export function opening({ users, items }: SimulatorOptions): string {
  return `sesrec learns what people want next from two histories: what they met in a feed, and what they typed into a search
box. SESRec is the model that it trains for this. This demo makes up a small shop, where we know why everybody does what they
do, and goes from its log to recommendations. Nothing is fetched from anywhere.

1. A shop. ${counted(users)} people, ${counted(items)} items. Most of the searches that people start by themselves are about what they will want
   next in the feed; the others look back or elsewhere (docs/simulator.md).`;
}

export function site(dataset: Dataset, { searches, users, spontaneous, withClicks, dissimilar }: Behaviour): string {
  return `   Its log, counted: ${counted(dataset.feedItem.length)} feed events, ${counted(searches)} searches; ${counted(users.neverSearch)} people never search.
   ${percent(spontaneous)} of the searches are spontaneous, the others were suggested beside an item; ${percent(withClicks)} had a click.
   Of the spontaneous ones with a click, ${percent(dissimilar.spontaneous.any)} are about something that the person's feed of the last seven days does not show.
`;
}

export function checked({ ok, checks, crossings }: AuditReport): string {
  const broken = checks.filter((check) => !check.ok).map(({ name }) => name);
  const afterMedian = crossings?.find(({ name }) => name.startsWith('training events after the median'));
  return `2. A check. The last item of everybody who met three or more is kept back for the test, the one before it for choosing the
   model. Does anything of it leak into what the model learns from? ${ok ? `All ${checks.length} checks hold.` : `FAILS: ${broken.join('; ')}.`}${
     afterMedian
       ? `
   Testing this way has a weakness, and it is counted: ${percent({ share: afterMedian.count / afterMedian.of })} of what the model learns from happened after half of
   the test events had. For real logs there is --split global-time.`
       : ''
   }
`;
}

export function beforeTraining(): string {
  return `3. Training: SESRec, and a twin that is the same but cannot see searches.`;
}

/** One table: for every recommender and both protocols, figures with the half width of their intervals. */
export function results(
  protocols: readonly (readonly Evaluation[])[],
  gains: readonly Difference[],
  window: number,
): string {
  const shown: readonly MetricName[] = ['hit@10', 'ndcg@10', 'mrr'];
  const margin = (width: number): string => (Number.isNaN(width) ? '       ' : ` ±${figure(width)}`);
  const sections = protocols.flatMap((evaluations) => {
    const { protocol, chance } = evaluations[0] as Evaluation;
    const among =
      protocol.name === 'sampled'
        ? `among ${protocol.count} others, drawn at random`
        : `among all ${counted(Math.round(protocol.count))} that the person has not met`;
    return [
      [among],
      ...evaluations.map(({ ranker, metrics, intervals }) => [
        `  ${ranker}`,
        ...shown.map((metric) => {
          const [low, high] = intervals[metric];
          return figure(metrics[metric]) + margin((high - low) / 2);
        }),
      ]),
      ['  chance', ...shown.map((metric) => figure(chance[metric]) + margin(Number.NaN))],
    ];
  });
  const titles = shown.map((metric) => `${metric.toUpperCase()}       `);
  const table = textTable([['', ...titles], ...sections]);
  const [gain] = gains as [Difference];
  const [low, high] = gain.interval;
  const sure = low > 0 || high < 0 ? 'more than chance explains' : 'which may be chance';
  const effect = gain.difference < 0 ? 'costs' : 'adds';
  const size = figure(Math.abs(gain.difference));
  return `
4. The test. Where does the item that each person really took next stand, when the model ranks it among others?
   HIT@10: how often among the first ten. NDCG@10: the same, counting more the nearer to the top. MRR: one over its place, on
   average. 1 is perfect. Popularity: the same for everybody, the most met items first. Chance: guessing.

${indented(table)}

   ±: half of the 95 % interval over ${counted(protocols[0]?.[0]?.users ?? 0)} people. Person by person, seeing searches ${effect} ${size} NDCG@10 among the
   ${protocols[0]?.[0]?.protocol.count ?? 0} (95 % interval ${figure(low)} to ${figure(high)}), ${sure}. One training each: another seed gives other figures.
   Part of what searches add is memory: the model sees the last ${window} events of the feed, and searches may tell of earlier ones.
`;
}

export function timeline(user: string, actions: readonly ToldAction[]): string {
  const inOrder = actions.toSorted((a, b) => (a.time ?? '').localeCompare(b.time ?? ''));
  const mark = { similar: '=', dissimilar: '≠' } as const;
  const lines = inOrder.map((action) => {
    const time = (action.time ?? '').slice(0, 16).replace('T', ' ');
    return `   ${time}  ${action.side === null ? ' ' : mark[action.side]}  ${actionText(action)}`;
  });
  return `5. One person. What ${user} did last, and how the model divides it: = similar, it has more in common with the other
   history (feed or searches) than the person's average action; ≠ dissimilar, it has less. Nobody told it.

${lines.join('\n')}
`;
}

export function recommended(user: string, items: readonly ToldRecommendation[]): string {
  return `6. What next for ${user}, and why? Each reason says where the item would stand if that had not happened.

${indented(recommendationText(items))}
`;
}

export function searched(user: string, query: string, items: readonly ToldRecommendation[]): string {
  return `7. Now ${user} searches for "${query}". The very next answer, with the place that each item had before:

${indented(recommendationText(items))}
`;
}

export function closing(made: { aware: string; user: string; query: string; seconds: number }): string {
  return `That took ${duration(made.seconds)}. Four commands to go on with:

   npx sesrec serve ${made.aware}     # then open http://127.0.0.1:8080: these people, their reasons, and what if they had searched
   npx sesrec recommend ${made.aware} --user ${made.user} --search "${made.query}" --explain
   npx sesrec simulate --search-signal 0 --out data/silent     # a shop whose searches tell nothing; then: npx sesrec train --help
   npx sesrec import events YOUR-LOG.jsonl --out data/yours    # your own log (docs/events.md)`;
}

const indented = (lines: string): string => lines.replaceAll(/^/gm, '   ');
