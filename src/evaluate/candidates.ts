/**
 * Lists of items that the held-out item of each user is ranked among. Knows who interacted with what, and two file
 * formats; does not know models or metrics.
 *
 * A user has one list, for validation and test alike. Lists are drawn once and kept, so that all models meet the same.
 */
import { mkdir, readFile } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { gzipSync } from 'node:zlib';
import {
  at,
  CorruptFileError,
  firstWhere,
  hashOf,
  messageOf,
  Random,
  UserError,
  unpack,
  writeAtomically,
} from '../base/index.js';
import { FIRST_INDEX, UNKNOWN, type Dataset } from '../data/index.js';

/** One list of item indices per user with a target; the targets are not in it. */
export interface Candidates {
  /** How the lists came about: `uniform` for drawn ones, else the name of the file they were read from. */
  readonly origin: string;
  /** The seed they were drawn with, null when they come from a file of the user's. */
  readonly seed: number | null;
  /** Items in every list. */
  readonly count: number;
  /** The row of a user index in `items`, -1 for users without a list. */
  readonly rowOf: Int32Array;
  /** Item indices, row-major (users with a list in order of their index, count). */
  readonly items: Int32Array;
}

/** Items per list, as in the paper's protocol. */
export const USUAL_COUNT = 99;

export interface DrawOptions {
  /** Items per list; `USUAL_COUNT` unless told. */
  readonly count?: number;
  /** 1 unless told. */
  readonly seed?: number;
}

/** The list of a user, undefined when there is none. */
export function candidatesOf(candidates: Candidates, user: number): Int32Array | undefined {
  const row = candidates.rowOf[user] ?? -1;
  return row < 0 ? undefined : candidates.items.subarray(row * candidates.count, (row + 1) * candidates.count);
}

/**
 * Draws `count` items for every user with a target: uniformly, without replacement, from the catalogue items that the
 * user never interacted with at any time, in the feed (all splits) or by a click on a search result. Under global time
 * the catalogue is what training knows, so that no candidate is from the future.
 *
 * Every user has a random stream of their own, named by the seed and their raw id, so the order of users does not
 * matter. No targets: no lists. Source: section 5.1 of the SESRec paper (99 items; its script is unreleased).
 */
export function drawCandidates(dataset: Dataset, { count = USUAL_COUNT, seed = 1 }: DrawOptions = {}): Candidates {
  if (!Number.isInteger(count) || count < 1)
    throw new UserError(`cannot draw ${count} candidates: give a whole number from 1`);
  const { rowOf, users } = rowsOf(dataset);
  const catalogue = dataset.items.ids.length - FIRST_INDEX;
  const items = new Int32Array(users.length * Math.min(count, catalogue)); // more is refused at the first user
  for (const [row, user] of users.entries()) {
    const seen = Int32Array.from(interactedWith(dataset, user)).sort();
    const unseen = catalogue - seen.length;
    if (unseen < count) {
      throw new UserError(
        `cannot draw ${count} candidates for user ${shown(idOf(dataset.users, user))}: of ${catalogue} items, ${seen.length} are already known to them${unseen === 0 ? ', so there is nothing to rank the target with: the log has too few items' : `; ask for at most ${unseen} (--candidate-count)`}`,
      );
    }
    const random = new Random(seed, 'candidates', idOf(dataset.users, user));
    for (const [column, rank] of distinctIntegers(random, count, unseen).entries()) {
      items[row * count + column] = nthUnseen(seen, rank);
    }
  }
  return { origin: 'uniform', seed, count, rowOf, items };
}

/**
 * The identity of lists: SHA-256 over their lines in raw ids, in order of user index. No lists: the hash of nothing.
 * Remembered, since validation asks for it after every epoch.
 */
export function hashCandidates(candidates: Candidates, dataset: Dataset): string {
  const known = hashes.get(candidates);
  if (known?.dataset === dataset) return known.hash;
  const hash = hashOf(...linesOf(candidates, dataset));
  hashes.set(candidates, { dataset, hash });
  return hash;
}

const hashes = new WeakMap<Candidates, { readonly dataset: Dataset; readonly hash: string }>();

/** Writes lists as gzipped lines, each a JSON array [user, item, item, …] of raw ids; whole or not at all. */
export async function saveCandidates(path: string, candidates: Candidates, dataset: Dataset): Promise<void> {
  await writeAtomically(path, gzipSync(linesOf(candidates, dataset).join('')));
}

/** The name under which drawn lists are kept. */
export function candidatesFileName({ count = USUAL_COUNT, seed = 1 }: DrawOptions = {}): string {
  return `candidates-${count}-uniform-seed${seed}.jsonl.gz`;
}

/**
 * The lists kept in a directory, drawn and put there when they are not yet. A file that does not fit the data set (its
 * users, its items, what they interacted with) or is damaged is a `CorruptFileError`; it is not replaced in silence.
 */
export async function loadOrDrawCandidates(
  directory: string,
  dataset: Dataset,
  options: DrawOptions = {},
): Promise<Candidates> {
  const { count = USUAL_COUNT, seed = 1 } = options;
  const path = join(directory, candidatesFileName(options));
  let bytes: Uint8Array;
  try {
    bytes = await readFile(path);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') {
      throw new CorruptFileError(`cannot read ${path}: ${messageOf(error)}`, { cause: error });
    }
    const candidates = drawCandidates(dataset, options);
    await mkdir(directory, { recursive: true });
    await saveCandidates(path, candidates, dataset);
    return candidates;
  }
  try {
    const candidates = await parse(path, bytes, dataset, { unseenOnly: true });
    if (candidates.count !== count && candidates.items.length > 0) {
      throw new UserError(`${path}: lists have ${candidates.count} items, not ${count}`);
    }
    return { ...candidates, count, origin: 'uniform', seed };
  } catch (error) {
    if (!(error instanceof UserError)) throw error;
    throw new CorruptFileError(`${error.message} (delete the file to have the lists drawn again)`, { cause: error });
  }
}

/**
 * Reads lists from somebody's file, plain or gzipped: either JSON lines as `saveCandidates` writes them, or S3-Rec's
 * text, `user item item …` separated by blanks. The first line that is not empty decides which. The file must have one
 * list, all of the same length, for every user with a target; lists of other users are checked and not kept. A
 * list may hold items of the user's history, but not the user's targets and no item twice.
 */
export async function readCandidatesFile(path: string, dataset: Dataset): Promise<Candidates> {
  let bytes: Uint8Array;
  try {
    bytes = await readFile(path);
  } catch (error) {
    throw new UserError(`cannot read the candidates file ${path}: ${messageOf(error)}`, { cause: error });
  }
  return parse(path, bytes, dataset, { unseenOnly: false });
}

/** Parses either format. `unseenOnly`: lists may not hold items of the user's history. */
async function parse(
  path: string,
  bytes: Uint8Array,
  dataset: Dataset,
  { unseenOnly }: { unseenOnly: boolean },
): Promise<Candidates> {
  const { rowOf, users } = rowsOf(dataset);
  const filled = new Uint8Array(users.length);
  let items = new Int32Array(0);
  let count = -1;
  let json: boolean | undefined;
  for (const [index, line] of textLines(path, await decompressed(path, bytes))) {
    const where = `${path}:${index}`;
    json ??= line.startsWith('[');
    const [userId, ...itemIds] = json ? jsonIds(where, line) : line.split(/[ \t]+/);
    if (userId === undefined) throw new UserError(`${where}: the line is empty; give a user and items`);
    if (!dataset.users.has(userId)) throw new UserError(`${where}: user ${shown(userId)} is not in the data set`);
    if (itemIds.length === 0) throw new UserError(`${where}: user ${shown(userId)} has no items`);
    if (count < 0) {
      count = itemIds.length;
      items = new Int32Array(users.length * count);
    }
    if (itemIds.length !== count) {
      throw new UserError(
        `${where}: user ${shown(userId)} has ${itemIds.length} items, those before have ${count}; make the lists equally long`,
      );
    }
    const user = dataset.users.index(userId);
    const row = at(rowOf, user);
    const forbidden = new Set(row < 0 ? [] : unseenOnly ? interactedWith(dataset, user) : targetsOf(dataset, user));
    const list = new Set<number>();
    for (const itemId of itemIds) {
      if (!dataset.items.has(itemId)) throw new UserError(`${where}: item ${shown(itemId)} is not in the data set`);
      const item = dataset.items.index(itemId);
      if (forbidden.has(item)) {
        const why = targetsOf(dataset, user).includes(item) ? "is the user's own target" : "is in the user's own log";
        throw new UserError(`${where}: the list of user ${shown(userId)} contains item ${shown(itemId)}, which ${why}`);
      }
      if (list.has(item))
        throw new UserError(`${where}: the list of user ${shown(userId)} contains item ${shown(itemId)} twice`);
      list.add(item);
    }
    if (row < 0) continue;
    if (filled[row]) throw new UserError(`${where}: user ${shown(userId)} has a list already`);
    filled[row] = 1;
    items.set([...list], row * count);
  }
  const missing = filled.indexOf(0);
  if (missing >= 0) {
    const left = filled.reduce((sum, value) => sum + 1 - value, 0);
    throw new UserError(
      `${path}: no list for user ${shown(idOf(dataset.users, users[missing] as number))}; ${left} of ${users.length} users with a target have none`,
    );
  }
  return { origin: basename(path), seed: null, count: Math.max(0, count), rowOf, items };
}

/** The bytes, unpacked when they are gzipped. */
async function decompressed(path: string, bytes: Uint8Array): Promise<Uint8Array> {
  if (bytes[0] !== 0x1f || bytes[1] !== 0x8b) return bytes;
  try {
    return await unpack(bytes);
  } catch (error) {
    throw new UserError(`${path} is a damaged gzip file: ${messageOf(error)}`, { cause: error });
  }
}

/** Lines that are not blank, trimmed, with their numbers from 1. Cut as bytes: a file may be longer than a string can be. */
function* textLines(path: string, bytes: Uint8Array): Generator<[number, string]> {
  const decoder = new TextDecoder('utf-8', { fatal: true });
  for (let start = 0, number = 1; start < bytes.length; number++) {
    const newline = bytes.indexOf(10, start);
    const end = newline < 0 ? bytes.length : newline;
    let line: string;
    try {
      line = decoder.decode(bytes.subarray(start, end)).trim();
    } catch (error) {
      throw new UserError(`${path}:${number}: the line is not UTF-8 text`, { cause: error });
    }
    if (line !== '') yield [number, line];
    start = end + 1;
  }
}

function jsonIds(where: string, line: string): string[] {
  let value: unknown;
  try {
    value = JSON.parse(line);
  } catch (error) {
    throw new UserError(`${where}: not valid JSON: ${shown(messageOf(error))}`, { cause: error });
  }
  if (!Array.isArray(value) || !value.every((id) => typeof id === 'string')) {
    throw new UserError(`${where}: expected a JSON array of ids in quotes, ["user", "item", …]`);
  }
  return value;
}

/** One line per user with a list, newline included. */
function linesOf(candidates: Candidates, dataset: Dataset): string[] {
  const lines: string[] = [];
  for (let user = 0; user < candidates.rowOf.length; user++) {
    const list = candidatesOf(candidates, user);
    if (list)
      lines.push(
        `${JSON.stringify([idOf(dataset.users, user), ...Array.from(list, (item) => idOf(dataset.items, item))])}\n`,
      );
  }
  return lines;
}

/** The users with a target, in order of index, and the inverse. */
function rowsOf(dataset: Dataset): { rowOf: Int32Array; users: number[] } {
  const rowOf = new Int32Array(dataset.users.ids.length).fill(-1);
  const users: number[] = [];
  for (let user = FIRST_INDEX; user < rowOf.length; user++) {
    if (targetsOf(dataset, user).length > 0) rowOf[user] = users.push(user) - 1;
  }
  return { rowOf, users };
}

/** Every item that a user met at any time: all feed events and all clicks of searches. */
function interactedWith(dataset: Dataset, user: number): Set<number> {
  const seen = new Set<number>();
  for (let i = at(dataset.feedOffsets, user); i < at(dataset.feedOffsets, user + 1); i++)
    seen.add(at(dataset.feedItem, i));
  const firstClick = at(dataset.clickOffsets, at(dataset.searchOffsets, user));
  const lastClick = at(dataset.clickOffsets, at(dataset.searchOffsets, user + 1));
  for (let i = firstClick; i < lastClick; i++) seen.add(at(dataset.clickItem, i));
  for (const meaningless of [0, 1]) seen.delete(meaningless);
  return seen;
}

/** The items of a user's targets, those that can be predicted. */
function targetsOf({ targets, feedItem }: Dataset, user: number): number[] {
  return [targets.validation, targets.test]
    .map((positions) => at(positions, user))
    .filter((position) => position >= 0 && at(feedItem, position) !== UNKNOWN)
    .map((position) => at(feedItem, position));
}

/** `count` distinct uniform integers in [0, bound), in random order: the head of a shuffle of which only the moved cells are kept. */
function distinctIntegers(random: Random, count: number, bound: number): number[] {
  const moved = new Map<number, number>();
  return Array.from({ length: count }, (_, i) => {
    const j = i + random.integer(bound - i);
    const drawn = moved.get(j) ?? j;
    moved.set(j, moved.get(i) ?? i);
    return drawn;
  });
}

/** The item index with `rank` smaller unseen ones, where `seen` holds the seen ones in ascending order. */
function nthUnseen(seen: Int32Array, rank: number): number {
  // Between FIRST_INDEX and seen[k] lie seen[k] - FIRST_INDEX - k unseen items: skip all k for which that is at most rank.
  const below = firstWhere(0, seen.length, (k) => at(seen, k) - FIRST_INDEX - k > rank);
  return FIRST_INDEX + rank + below;
}

function idOf(vocabulary: Dataset['items'], index: number): string {
  return vocabulary.ids[index] as string;
}

/** An id of unknown origin, in quotes and short enough for one line. */
function shown(id: string): string {
  return JSON.stringify(id.length > 60 ? `${id.slice(0, 60)}…` : id);
}
