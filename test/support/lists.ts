/** Lists that were written for all users, read back. Knows the columns. */
import { join } from 'node:path';
import { withDatabase } from '../../src/data/database.js';

export interface ListRow {
  readonly user: string;
  readonly rank: number;
  readonly item: string;
  readonly score: number;
  readonly source: string;
}

/** Every row of a directory of lists, by user and rank. */
export async function readLists(directory: string): Promise<ListRow[]> {
  return withDatabase(async (database) => {
    const { user, rank, item, score, source } = await database.read(
      `SELECT user, rank, item, CAST(score AS DOUBLE), source FROM read_parquet('${join(directory, '*.parquet').replaceAll("'", "''")}') ORDER BY user, rank`,
      { user: 'text', rank: 'integer', item: 'text', score: 'number', source: 'text' },
    );
    return user.map((name, row) => ({
      user: name,
      rank: rank[row] as number,
      item: item[row] as string,
      score: score[row] as number,
      source: source[row] as string,
    }));
  });
}
