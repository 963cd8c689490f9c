/** Somebody as a model knows them. Knows a history and when it is encoded; does not know where it is from. */
import type { CandidateSearch, EncodedHistory, GraphRanker } from '../model/index.js';
import type { LiveHistory } from './live-history.js';

/** Somebody's history and what the model makes of it, which is worked out when it is first asked for. */
export interface KnownUser {
  readonly history: LiveHistory;
  /** What is missing since the store is away: perhaps the newest events, or all that is stored; null where nothing is. */
  readonly missing: 'newest' | 'stored' | null;
  readonly ranker: GraphRanker;
  readonly encoded: () => Promise<EncodedHistory>;
  /** Searches for candidates by their scores, and encodes on the way what is not yet. */
  readonly search: <Question, Found extends object>(
    search: CandidateSearch<Question, Found>,
    question: Question,
  ) => Promise<Found>;
}

/**
 * Somebody by a history.
 * @param base ranks for the histories of the run
 * @param charge is told of the memory that it takes, for those who keep it
 */
export function knownBy(
  base: GraphRanker,
  history: LiveHistory,
  charge: (bytes: number) => void = () => undefined,
): KnownUser {
  const ranker = base.forHistories(history);
  charge(bytesOf(history));
  let encoded: Promise<EncodedHistory> | null = null;
  const keep = (encoding: Promise<EncodedHistory>): Promise<EncodedHistory> => {
    encoded = encoding.then((done) => {
      charge(Object.values(done.state.values).reduce((sum, { byteLength }) => sum + byteLength, 0));
      return done;
    });
    return encoded;
  };
  return {
    history,
    missing: null,
    ranker,
    encoded: async () => encoded ?? keep(ranker.encodeHistory(history.moment)),
    search: async (search, question) => {
      if (encoded) return (await ranker.search(await encoded, search, question)).found;
      const searching = ranker.search(history.moment, search, question);
      await keep(searching.then((done) => done.history));
      return (await searching).found;
    },
  };
}

/** What a history takes, about; queries that training never saw have a catalogue made for them. */
function bytesOf({ dataset, catalogue, unknown }: LiveHistory): number {
  const columns = [dataset.feedItem, dataset.searchQuery, dataset.clickItem].reduce(
    (sum, { length }) => sum + length,
    0,
  );
  const own = [catalogue.wordOffsets, catalogue.queryWords, catalogue.queryRow];
  return 2000 + 100 * columns + (unknown.queries > 0 ? own.reduce((sum, { byteLength }) => sum + byteLength, 0) : 0);
}
