/** The report of a comparison: which sections it has, and in which order. Does not know what they show, nor files. */
import type { Page, Section } from '../../report/index.js';
import type { RowResult } from '../comparison/results.js';
import { PROTOCOLS } from '../comparison/test-ranks.js';
import { protocolSection, slicesSection, testsSection } from './comparison-measured.js';
import {
  failureSection,
  learningSection,
  manifestSection,
  modelsSection,
  tuningSection,
} from './comparison-trained.js';
import { limitsOf, protocolTerms, summaryOf } from './comparison-words.js';
import type { ComparisonFiles } from './gathering.js';
import { numberWord } from './numbers.js';
import { listHtml, paragraphs, personSection, termsHtml } from './parts.js';
import type { Person } from './person.js';
import type { SlicedRows } from './slices.js';

/** Somebody, as a run of the comparison sees them. */
export interface Shown {
  readonly person: Person;
  readonly row: RowResult;
  readonly seed: number;
}

/** The page. `slices`: null where they are not known; `shown`: the person of the best SESRec run, where there is one. */
export function comparisonPage(
  files: ComparisonFiles,
  slices: readonly SlicedRows[] | null,
  shown: Shown | null,
): Page {
  const { results } = files;
  const sections: (Section | null)[] = [
    ...(results.protocols ? PROTOCOLS.map((name) => protocolSection(results, name)) : []),
    modelsSection(results),
    results.tests.length > 0 ? testsSection(results) : null,
    slices && slicesSection(slices, results),
    learningSection(files),
    tuningSection(results),
    failureSection(results),
    shown && personSection(shown.person, `${shown.row.name} (seed ${shown.seed})`),
    { id: 'protocol', title: 'How it was measured', body: termsHtml(protocolTerms(files)) },
    { id: 'limits', title: 'What this cannot show', body: listHtml(limitsOf(files)) },
    manifestSection(files),
  ];
  return {
    kind: 'sesrec · report of a comparison',
    title: `Comparison of ${numberWord(results.rows.length)} recommenders`,
    lead: paragraphs(summaryOf(files)),
    sections: sections.filter((section) => section !== null),
  };
}
