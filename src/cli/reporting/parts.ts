/** What both kinds of report have: learning curves, one person, lists of facts. Knows how these are told; does not know which report. */
import { countOf } from '../../base/index.js';
import type { DataManifest } from '../../data/index.js';
import type { SlicingName } from '../../evaluate/index.js';
import {
  type Content,
  type Html,
  type Panel,
  type Section,
  curveFigure,
  figureHtml,
  given,
  html,
  timeFigure,
  timelineHtml,
} from '../../report/index.js';
import { type ToldReason, type ToldRecommendation, withoutText } from '../recommending.js';
import { settingsText } from '../table.js';
import type { EpochRecord } from './gathering.js';
import type { Person } from './person.js';

/** A list of what is called how. What is null is left out. */
export function factsHtml(facts: readonly (readonly [name: string, value: Content])[]): Html {
  const told = facts.filter(([, value]) => value !== null);
  return html`<dl class="facts">
    ${told.map(
      ([name, value]) =>
        html`<dt>${name}</dt>
          <dd>${value}</dd> `,
    )}
  </dl>`;
}

/** What ways to tell users apart are called. */
export const SLICINGS: Readonly<Record<SlicingName, string>> = {
  searches: 'By how much people search',
  history: 'By the length of the history',
  popularity: 'By the popularity of the target',
  newItems: 'By what training knows of the target',
  newUsers: 'By whether training knows the person',
};

/** What terms mean. */
export function termsHtml(terms: readonly Term[]): Html {
  return html`<dl class="facts terms">
    ${terms.map(
      ([term, meaning]) =>
        html`<dt>${term}</dt>
          <dd>${meaning}</dd> `,
    )}
  </dl>`;
}

/** A term, and what it means. */
export type Term = readonly [term: string, meaning: string];

/** Settings by their names, in as many columns as there is room for. */
export function settingsHtml(settings: object): Html {
  const shown = Object.entries(settings).map(([name, value]: [string, unknown]) => [
    name,
    typeof value === 'string' ? value : JSON.stringify(value),
  ]);
  return html`<ul class="settings">
    ${shown.map(([name = '', value = '']) => html`<li><span class="quiet">${name}</span> ${given(value)}</li> `)}
  </ul>`;
}

/** A hash, as far as people compare it. */
export const hashHtml = (hash: string): Html => html`<code>${hash.slice(0, 16)}</code>`;

/** The commit that a program ran from. */
export const commitHtml = (commit: string | null): Content =>
  commit === null
    ? 'not from a checkout'
    : html`commit <code>${commit.slice(0, 12)}${commit.endsWith('-dirty') && '-dirty'}</code>`;

/** Where data came from, and the hashes of the files. */
export function sourceHtml({ source }: DataManifest): Html {
  const { importer, files, generator } = source;
  return html`${generator ? `simulated: ${settingsText(generator.options)}` : `imported by ${importer}`};
  ${files.map(({ name, sha256 }, i) => html`${i > 0 && ', '}${given(name)} ${hashHtml(sha256)}`)}`;
}

export const listHtml = (texts: readonly string[]): Html =>
  html`<ul>
    ${texts.map((text) => html`<li>${text}</li> `)}
  </ul>`;

export const paragraphs = (texts: readonly string[]): Html[] => texts.map((text) => html`<p>${text}</p>`);

/** Validation MRR by epoch of some runs of one thing; the best epoch of each is marked. */
export function panelOf(label: string, runs: readonly (readonly EpochRecord[])[]): Panel {
  const curves = runs.map((epochs) => epochs.map(({ epoch, validation }) => ({ x: epoch, y: validation.score })));
  return {
    label,
    curves,
    marked: curves.map((curve) => curve.reduce((best, point) => (point.y > best.y ? point : best))),
  };
}

/** Learning curves, a panel for each; all of the same axes. */
export function learningHtml(panels: readonly Panel[], caption: Content): Html {
  const description = `Validation MRR by epoch. ${panels
    .map(({ label, curves, marked }) => {
      const best = Math.max(...marked.map(({ y }) => y));
      return `${label}: ${countOf(curves.length, 'run')}, best ${best.toFixed(3)}`;
    })
    .join('; ')}`;
  return figureHtml(
    (room) =>
      curveFigure(
        {
          description,
          axis: 'epoch',
          panels,
          meaning: { curve: 'validation MRR of a run', marked: 'its best epoch, which was kept' },
        },
        room,
      ),
    caption,
  );
}

/** One person's section. `modelName`: whose sides and recommendations these are. */
export function personSection({ user, rule, actions, earlier, told }: Person, modelName: string): Section {
  const sided = actions.some(({ side }) => side !== null);
  const left = [
    earlier.searches > 0 ? countOf(earlier.searches, 'earlier search').replace(/searchs$/, 'searches') : '',
    earlier.feed > 0 ? countOf(earlier.feed, 'earlier feed event') : '',
  ].filter(Boolean);
  return {
    id: 'person',
    title: 'One person',
    body: [
      html`<p>
        User ${given(user)}, ${rule}; chosen by no figure. Shown is what ${modelName} looks at, up to the end of the
        log${left.length > 0 && ` (${left.join(' and ')} ${earlier.searches + earlier.feed === 1 ? 'is' : 'are'} outside its window)`}.
        One person is an illustration and shows nothing about the others.
      </p>`,
      sided &&
        html`<p>
          <span class="side similar"></span> <b>similar</b>: the action has more in common with the other lane than this
          person’s average action, as ${modelName} sees it; <span class="side dissimilar"></span> <b>dissimilar</b>:
          less. Nobody told it.
        </p>`,
      actions.some(({ time }) => time !== null) &&
        figureHtml(
          (room) => timeFigure(actions, room),
          'When it happened (UTC). The list below has the same actions in words.',
        ),
      timelineHtml(actions),
      html`<h3>What is recommended next</h3>`,
      told.source === 'popularity' &&
        html`<p>Nothing that the model can see is known of this person: these are the most met items.</p>`,
      recommendedHtml(told.items),
      told.items.some(({ because = [] }) => because.length > 0) &&
        html`<p class="quiet">
          Each reason says where the item would stand had that not happened: the model was asked again without it.
        </p>`,
    ],
  };
}

function recommendedHtml(items: readonly ToldRecommendation[]): Html {
  return html`<ol class="recommended">
    ${items.map(
      ({ rank, item, attributes, because = [] }) =>
        html`<li>
          ${itemHtml(item, attributes)}${
            because.length > 0 &&
            html`<ul>
              ${because.map((reason, earlier) => html`<li>${reasonHtml(rank, reason, earlier)}</li>`)}
            </ul>`
          }
        </li> `,
    )}
  </ol>`;
}

function itemHtml(item: string, attributes: Readonly<Record<string, string>>): Html {
  const title = attributes['title'] ?? attributes['name'];
  const category = attributes['category'] ?? attributes['categories'];
  return html`<b>${given(title ?? item)}</b
    >${category !== undefined && html` <span class="quiet">${given(category)}</span>`}`;
}

function reasonHtml(rank: number, reason: ToldReason, earlier: number): Html {
  const { type, query = '', described, side } = reason;
  const [first = '', ...others] = described;
  const more = others.length > 0 ? ` and ${others.length} more` : '';
  const what =
    type === 'feed'
      ? html`met ${given(first)}`
      : html`searched “${given(query)}”${first !== '' && html` and clicked ${given(first)}${more}`}`;
  return html`because they ${what} (${withoutText(rank, reason, earlier)}${side !== null && `; ${side}`})`;
}
