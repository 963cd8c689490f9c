/**
 * The seal on a run's test: who looked at it, and when. Knows what counts as a look and what as seeing the same again;
 * does not know how figures are got or shown.
 *
 * One look is one command that shows figures on test, under one protocol or both. The same model, protocol, candidates
 * and users may be shown again any number of times: they tell nothing new. Anything else is another look, and is counted.
 */
import { UserError, isEither, isListOf, isOneOf, isRecordOf, isText, isWhole } from '../../base/index.js';

/** What decides a figure on test, beside the model. */
export interface TestFigures {
  readonly protocol: 'sampled' | 'full';
  /** Identity and length of the candidate lists; null under `full`. */
  readonly candidates: { readonly hash: string; readonly count: number } | null;
  /** The sample of users; null for all. */
  readonly sample: { readonly users: number; readonly seed: number } | null;
}

export interface TestLook {
  /** When, ISO 8601. */
  readonly time: string;
  /** SHA-256 of the parameters that were tested. */
  readonly version: string;
  /** What was seen, and the manifest of each result. */
  readonly figures: readonly (TestFigures & { readonly result: string | null })[];
}

/** A look that was taken or may be: its number from 1, and whether it is to be counted. */
export interface PlannedLook {
  readonly number: number;
  readonly isNew: boolean;
}

export const testLooksRule = isListOf(
  isRecordOf({
    time: isText,
    version: isText,
    figures: isListOf(
      isRecordOf({
        protocol: isOneOf('sampled', 'full'),
        candidates: isEither(isOneOf(null), isRecordOf({ hash: isText, count: isWhole(1) })),
        sample: isEither(isOneOf(null), isRecordOf({ users: isWhole(1), seed: isWhole(0) })),
        result: isEither(isOneOf(null), isText),
      }),
    ),
  }),
);

const same = (one: TestFigures, other: TestFigures): boolean =>
  one.protocol === other.protocol &&
  one.candidates?.hash === other.candidates?.hash &&
  one.sample?.users === other.sample?.users &&
  one.sample?.seed === other.sample?.seed;

/**
 * Which look some figures of a model are: one that was taken, the first, or with `again` another one. Anything new after
 * the first look, without `again`, is a `UserError` that says what was seen.
 */
export function planLook(
  looks: readonly TestLook[],
  wanted: { readonly version: string; readonly figures: readonly TestFigures[] },
  { again, where }: { readonly again: boolean; readonly where: string },
): PlannedLook {
  const taken = wanted.figures.map((figures) =>
    looks.findIndex((look) => look.version === wanted.version && look.figures.some((seen) => same(seen, figures))),
  );
  if (taken.length > 0 && taken.every((position) => position >= 0))
    return { number: Math.max(...taken) + 1, isNew: false };
  const last = looks.at(-1);
  if (last && !again)
    throw new UserError(
      `the test of ${where} was looked at on ${last.time.slice(0, 16).replace('T', ' ')} (${last.figures.map(inWords).join(' and ')}, model ${last.version.slice(0, 12)}): choose on validation, or pass --again for look ${looks.length + 1}, which is counted`,
    );
  return { number: looks.length + 1, isNew: true };
}

function inWords({ protocol, candidates, sample }: TestFigures): string {
  return `${protocol}${candidates ? `, ${candidates.count} candidates ${candidates.hash.slice(0, 12)}` : ''}${sample ? `, ${sample.users} users of seed ${sample.seed}` : ''}`;
}
