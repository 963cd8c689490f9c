/** What a reader of units is asked, and what it answers: a line of JSON each. Knows the words; does neither. */
import type { Unit } from './units.js';

/** One unit to read. */
export interface ReadingOrder {
  /** The version of the program that asks: readers of another would read otherwise. */
  readonly version: string;
  readonly unit: Unit;
  /** The name of the format. */
  readonly format: string;
  /** The folder for entries; on storage that everybody sees. */
  readonly folder: string;
  /** Megabytes that the reader may use. */
  readonly memory: number;
}

/** What became of a unit. */
export type ReadingAnswer =
  | {
      readonly unit: number;
      /** Records in it. */
      readonly records: number;
      /** Line ends in it, of a unit that is a part of a file; else 0. */
      readonly lines: number;
    }
  /** What is wrong with it, in a line. */
  | { readonly unit: number; readonly refused: string };
