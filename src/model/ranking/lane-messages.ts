/**
 * What a search for candidates (lane-search.ts) and the thread that it runs on (scoring-on-lane.ts) say to each other, and what a finder is to
 * both. Types alone.
 */
import type { NumberArray } from '../../tensor/index.js';

/** Scores of some items, in their order: at most as many as the largest of the search's sizes. */
export type ScoreItems = (items: Int32Array) => Promise<Float32Array>;

/** What a finder's module exports as `open`: given something once on every thread, it answers one question after another. */
export type OpenFinder<Given, Question, Found> = (
  given: Given,
) => (question: Question, score: ScoreItems) => Promise<Found>;

/** What a thread is asked. */
export interface LaneQuestion {
  readonly encode: { readonly program: number; readonly inputs: Readonly<Record<string, NumberArray>> } | null;
  /** Inputs of a state, where nothing is encoded. */
  readonly state: Readonly<Record<string, NumberArray>> | null;
  /** By ascending size. */
  readonly scorers: readonly { readonly size: number; readonly program: number; readonly output: string }[];
  /** (items, width), on memory that threads share. An item that is revised meanwhile may be scored by some of the old and some of the new. */
  readonly vectors: Float32Array;
  readonly width: number;
  /** The output that tells how far a state may be trusted, and how far it must: times that of items at most `most`. */
  readonly reach: { readonly output: string; readonly ofItems: number; readonly most: number } | null;
  /** Numbers of parameters that the thread holds. */
  readonly held: readonly number[];
  readonly question: unknown;
}

/** What it tells: the state if it was encoded here, and what was found, unless the state may not be trusted so far. */
export interface LaneTold<Found> {
  readonly state: Readonly<Record<string, Float32Array>> | null;
  readonly found: Found | null;
}
