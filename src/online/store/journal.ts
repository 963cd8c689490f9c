/**
 * What a store has promised and not put in its place yet: records on the disk, each written in one piece. Knows blocks of a file and which of them are
 * needed still; does not know what a record says.
 *
 * The file is a ring of blocks that were filled with zeros once, so that a record costs the disk one write and the file system no note of its own
 * (`O_DSYNC`: a write is over when it is on the disk). What comes while one record is written shares the next. A record begins with a block:
 *
 *   magic (4 bytes), bytes of text (4), the number before (8), the number it goes through to (8), SHA-256 of these and the text (16 of its bytes), text
 *
 * Texts are lines of JSON, which hold no byte 0, so no text can pass for the head of a record. A record that was cut off has another hash and is none. Each
 * names the number that the one before went through to, so that one that is missing between two others is noticed.
 */
import { createHash } from 'node:crypto';
import { constants } from 'node:fs';
import { type FileHandle, open, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { Turns, assert, isThere, roundUp, writeAtomically } from '../../base/index.js';

export const JOURNAL_FILE = 'journal';
const BLOCK = 4096;
/** Bytes of the file, unless a record needs more. */
const RING_BYTES = 8 * 2 ** 20;
const MAGIC = 0x314c4e4a;
/** Undefined where the system has no such writes. */
const DURABLE: number | undefined = constants.O_DSYNC;
const AT = { magic: 0, length: 4, before: 8, through: 16, hash: 24, text: 40 } as const;

/** A record as it was read. */
export interface Noted {
  readonly before: number;
  readonly through: number;
  readonly lines: readonly string[];
}

interface Waiting {
  readonly through: number;
  readonly line: string;
  readonly durable: () => void;
  readonly failed: (error: unknown) => void;
}

export interface JournalOptions {
  /** Puts what was noted in its place and releases it: called when the ring is full. */
  readonly makeRoom: () => Promise<void>;
  readonly flushed?: (flush: { readonly milliseconds: number; readonly writes: number }) => void;
  /** Bytes, a multiple of 4,096. */
  readonly ringBytes?: number;
}

/** The sound records of a journal in order of their numbers; none where there is no journal. */
export async function readJournal(directory: string): Promise<Noted[]> {
  const path = join(directory, JOURNAL_FILE);
  if (!(await isThere(path))) return [];
  const bytes = await readFile(path);
  const found: Noted[] = [];
  for (let at = 0; at + BLOCK <= bytes.length;) {
    const record = recordAt(bytes, at);
    if (record) found.push(record.noted);
    at += record ? record.bytes : BLOCK;
  }
  return found.toSorted((a, b) => a.through - b.through);
}

function recordAt(bytes: Buffer, at: number): { readonly noted: Noted; readonly bytes: number } | null {
  if (bytes.readUInt32LE(at + AT.magic) !== MAGIC) return null;
  const end = at + AT.text + bytes.readUInt32LE(at + AT.length);
  if (end > bytes.length || !hashOf(bytes.subarray(at, end)).equals(bytes.subarray(at + AT.hash, at + AT.text)))
    return null;
  const noted = {
    before: Number(bytes.readBigUInt64LE(at + AT.before)),
    through: Number(bytes.readBigUInt64LE(at + AT.through)),
    lines: bytes.toString('utf8', at + AT.text, end).split('\n'),
  };
  return { noted, bytes: roundUp(end - at, BLOCK) };
}

const hashOf = (record: Buffer): Buffer =>
  createHash('sha256')
    .update(record.subarray(0, AT.hash))
    .update(record.subarray(AT.text))
    .digest()
    .subarray(0, AT.text - AT.hash);

/** What follows a number without a gap, or null where a record is missing. */
export function followingOf(noted: readonly Noted[], number: number): readonly Noted[] | null {
  const following = noted.filter(({ through }) => through > number);
  const isWhole = following.every(({ before }, i) => {
    const previous = following[i - 1];
    return previous ? before === previous.through : before <= number;
  });
  return isWhole ? following : null;
}

export class Journal {
  readonly #file: FileHandle;
  readonly #options: JournalOptions;
  #capacity: number;
  /** Where records lie that are needed, oldest first. */
  readonly #needed: { readonly start: number; readonly end: number; readonly through: number }[] = [];
  /** Where the next one goes. */
  #at = 0;
  #through: number;
  #waiting: Waiting[] = [];
  /** What is done to the file. */
  readonly #turns = new Turns();

  private constructor(file: FileHandle, capacity: number, through: number, options: JournalOptions) {
    this.#file = file;
    this.#capacity = capacity;
    this.#through = through;
    this.#options = options;
  }

  /**
   * Opens the journal of a directory, or makes it. What it holds is taken to be in its place.
   * @param through the number that the newest record goes through to, or a higher one if what it says is in its place
   */
  static async open(directory: string, through: number, options: JournalOptions): Promise<Journal> {
    const path = join(directory, JOURNAL_FILE);
    if (!(await isThere(path))) await writeAtomically(path, Buffer.alloc(options.ringBytes ?? RING_BYTES));
    const file = await open(path, constants.O_RDWR | (DURABLE ?? 0));
    const { size } = await file.stat();
    return new Journal(file, size - (size % BLOCK), through, options);
  }

  /**
   * Notes a line: returns once it is on the disk. Numbers ascend. `durable` is called as soon as it is, before anything else that was noted may need room.
   */
  async note(through: number, line: string, durable: () => void): Promise<void> {
    return new Promise((resolve, reject) => {
      const isDurable = (): void => {
        durable();
        resolve();
      };
      this.#waiting.push({ through, line, durable: isDurable, failed: reject });
      if (this.#waiting.length === 1) void this.#turns.take(async () => this.#write());
    });
  }

  /** Writes what waits as one record. */
  async #write(): Promise<void> {
    const group = this.#waiting;
    this.#waiting = [];
    const start = performance.now();
    try {
      const record = recordOf(group, this.#through);
      await this.#findRoom(record.length);
      await put(this.#file, record, record.length, this.#at);
      const { through } = group.at(-1) as Waiting;
      this.#needed.push({ start: this.#at, end: this.#at + record.length, through });
      this.#at += record.length;
      this.#through = through;
    } catch (error) {
      for (const { failed } of group) failed(error);
      return;
    }
    this.#options.flushed?.({ milliseconds: performance.now() - start, writes: group.length });
    for (const { durable } of group) durable();
  }

  async #findRoom(bytes: number): Promise<void> {
    if (this.#hasRoom(bytes)) return;
    await this.#options.makeRoom();
    assert(this.#needed.length === 0, 'what was noted has been put in its place');
    this.#at = 0;
    if (bytes <= this.#capacity) return;
    const wanted = 2 * bytes;
    await fill(this.#file, this.#capacity, wanted);
    this.#capacity = wanted;
  }

  /** Whether so many bytes in one piece are not needed; moves to the beginning where they are there. */
  #hasRoom(bytes: number): boolean {
    const [oldest] = this.#needed;
    const end = oldest && oldest.start >= this.#at ? oldest.start : this.#capacity;
    if (this.#at + bytes <= end) return true;
    if (end < this.#capacity || bytes > (oldest?.start ?? this.#capacity)) return false;
    this.#at = 0;
    return true;
  }

  /** What was noted through a number is in its place. */
  release(through: number): void {
    while (this.#needed[0] && this.#needed[0].through <= through) this.#needed.shift();
  }

  /** Waits for all that was noted until now. */
  async idle(): Promise<void> {
    await this.#turns.over();
  }

  /** Overwrites everything with zeros, once it is in its place. What is noted meanwhile waits. */
  async wipe(): Promise<void> {
    return this.#turns.take(async () => {
      await this.#options.makeRoom();
      assert(this.#needed.length === 0, 'what was noted has been put in its place');
      await fill(this.#file, 0, this.#capacity);
      this.#at = 0;
    });
  }

  async close(): Promise<void> {
    await this.idle();
    await this.#file.close();
  }
}

function recordOf(group: readonly Waiting[], before: number): Buffer {
  const text = Buffer.from(group.map(({ line }) => line).join('\n'));
  const record = Buffer.alloc(roundUp(AT.text + text.length, BLOCK));
  record.writeUInt32LE(MAGIC, AT.magic);
  record.writeUInt32LE(text.length, AT.length);
  record.writeBigUInt64LE(BigInt(before), AT.before);
  record.writeBigUInt64LE(BigInt((group.at(-1) as Waiting).through), AT.through);
  text.copy(record, AT.text);
  hashOf(record.subarray(0, AT.text + text.length)).copy(record, AT.hash);
  return record;
}

/** Writes the first bytes of some at a place; returns once they are on the disk. */
async function put(file: FileHandle, bytes: Buffer, count: number, at: number): Promise<void> {
  await file.write(bytes, 0, count, at);
  if (DURABLE === undefined) await file.datasync();
}

/** Writes zeros. */
async function fill(file: FileHandle, start: number, end: number): Promise<void> {
  const zeros = Buffer.alloc(Math.min(2 ** 20, end - start));
  for (let at = start; at < end; at += zeros.length) await put(file, zeros, Math.min(zeros.length, end - at), at);
}
