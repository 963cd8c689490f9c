/**
 * The items of a run and those that came since, with what is known of them. Knows attributes; does not know users or scores.
 *
 * Items of the run keep their indices; those that were upserted and are none of its come behind them, in the order in which they came.
 * New are these, and those of the run that training did not know: a model has not learned their ids, and sees an unknown item
 * with the attribute values that training knew.
 */
import { at, range } from '../base/index.js';
import { type Dataset, FIRST_INDEX, UNKNOWN, type Vocabulary } from '../data/index.js';
import { type Catalogue, catalogueOf } from '../features/index.js';
import type { CommonConfig } from '../model/index.js';
import type { Filter } from './questions.js';
import type { Fields, StoredThing } from './store/store.js';

/** The text of an attribute value as imports make it of lists: joined by spaces. */
const textOf = (value: string | readonly string[]): string => (typeof value === 'string' ? value : value.join(' '));

/** Indices of the values of configured attributes, by name: 0 without a value, unknown where training never saw it. */
export function valueIndices(
  configured: readonly { readonly name: string }[],
  columns: Dataset['itemAttributes'],
  fields: Fields | null,
  index: number,
): Record<string, number> {
  return Object.fromEntries(
    configured.map(({ name }) => {
      const column = columns.get(name);
      const value = fields?.get(name);
      if (value?.length === 0) return [name, 0];
      if (value !== undefined) return [name, column?.values.index(textOf(value)) ?? UNKNOWN];
      return [name, column?.index[index] ?? 0];
    }),
  );
}

export class LiveCatalogue {
  readonly #dataset: Dataset;
  readonly #config: CommonConfig;
  readonly #newIds: string[] = [];
  readonly #newIndices = new Map<string, number>();
  readonly #fields = new Map<number, StoredThing>();
  readonly #columns: Record<string, Int32Array>;
  readonly #queries: Catalogue;
  #vocabulary: Vocabulary | null = null;
  #newest: readonly number[] | null = null;

  constructor(dataset: Dataset, config: CommonConfig) {
    this.#dataset = dataset;
    this.#config = config;
    this.#queries = catalogueOf(dataset, config.itemAttributes, config.userAttributes);
    this.#columns = Object.fromEntries(
      Object.entries(this.#queries.itemAttributes).map(([name, column]) => [name, column.slice()]),
    );
  }

  /** Indices of items are below it; new items begin at `firstNew`. */
  get size(): number {
    return this.#ofRun + this.#newIds.length;
  }
  get firstNew(): number {
    return this.#dataset.trainedItems;
  }
  get #ofRun(): number {
    return this.#dataset.items.ids.length;
  }

  /** `UNKNOWN` for an item that nothing is known of. */
  index(item: string): number {
    const known = this.#dataset.items.index(item);
    return known === UNKNOWN ? (this.#newIndices.get(item) ?? UNKNOWN) : known;
  }

  id(index: number): string {
    const own = index < this.#ofRun ? this.#dataset.items.ids[index] : this.#newIds[index - this.#ofRun];
    return own ?? '';
  }

  /** When an item was first upserted; null for one that never was. */
  since(index: number): number | null {
    return this.#fields.get(index)?.since ?? null;
  }

  /** New items, the newest first; those of the run that nobody upserted come last. */
  newestFirst(limit: number): readonly number[] {
    this.#newest ??= Array.from(range(this.size - this.firstNew), (i) => this.firstNew + i).sort(
      (a, b) => (this.since(b) ?? 0) - (this.since(a) ?? 0) || b - a,
    );
    return this.#newest.slice(0, limit);
  }

  /**
   * Takes in what was upserted.
   * @returns the items that a model sees differently now, new ones in order
   */
  revise(things: Iterable<StoredThing>): Int32Array {
    const changed = new Set<number>();
    for (const thing of things) {
      let index = this.index(thing.id);
      if (index === UNKNOWN) {
        index = this.size;
        this.#vocabulary = null;
        this.#newIds.push(thing.id);
        this.#newIndices.set(thing.id, index);
        changed.add(index);
      }
      this.#fields.set(index, thing);
      if (index >= this.firstNew) this.#newest = null;
      const values = valueIndices(this.#config.itemAttributes, this.#dataset.itemAttributes, thing.fields, index);
      for (const [name, value] of Object.entries(values)) {
        const column = this.#roomFor(name, index);
        if (column[index] !== value) changed.add(index);
        column[index] = value;
      }
    }
    return Int32Array.from(changed).sort();
  }

  #roomFor(name: string, index: number): Int32Array {
    const column = this.#columns[name] as Int32Array;
    if (index < column.length) return column;
    const longer = new Int32Array(2 * index);
    longer.set(column);
    this.#columns[name] = longer;
    return longer;
  }

  /** The values of an attribute of an item; none where it has none. Lists keep their values where they were upserted. */
  values(index: number, attribute: string): readonly string[] {
    const value = this.#fields.get(index)?.fields.get(attribute);
    if (value !== undefined) return typeof value === 'string' ? [value] : value;
    const column = this.#dataset.itemAttributes.get(attribute);
    const text = column && index < this.#ofRun ? column.values.ids[at(column.index, index)] : '';
    return text ? [text] : [];
  }

  /** Everything that is known of an item: its attributes with their values. */
  attributes(index: number): [name: string, values: readonly string[]][] {
    const names = new Set([...this.#dataset.itemAttributes.keys(), ...(this.#fields.get(index)?.fields.keys() ?? [])]);
    return Array.from(names, (name): [string, readonly string[]] => [name, this.values(index, name)]).filter(
      ([, values]) => values.length > 0,
    );
  }

  /** Items that were upserted, whether the run knows them or not. */
  revised(): Iterable<number> {
    return this.#fields.keys();
  }

  /** The item as people know it: by title or name, else by its id. */
  title(index: number): string {
    const titles = [...this.values(index, 'title'), ...this.values(index, 'name')];
    return titles.find((title) => title.trim() !== '') ?? this.id(index);
  }

  /** Whether any item has the attribute at all. */
  hasAttribute(attribute: string): boolean {
    if (this.#dataset.itemAttributes.has(attribute)) return true;
    for (const { fields } of this.#fields.values()) if ((fields.get(attribute)?.length ?? 0) > 0) return true;
    return false;
  }

  /** The items of the vocabulary and behind it, with everything else as the run has it. */
  get items(): Vocabulary {
    return (this.#vocabulary ??= {
      ids: this.#newIds.length === 0 ? this.#dataset.items.ids : [...this.#dataset.items.ids, ...this.#newIds],
      index: (id) => this.index(id),
      has: (id) => this.index(id) >= FIRST_INDEX,
    });
  }

  /** Whether an item may stand in a list that is filtered. Quick: it is asked for whole catalogues. */
  matcher({ attribute, any_of: any, none_of: none }: Filter): (index: number) => boolean {
    const [wanted, unwanted] = [any && new Set(any), none && new Set(none)];
    const isFit = (values: readonly string[]): boolean =>
      (!wanted || values.some((value) => wanted.has(value))) &&
      (!unwanted || !values.some((value) => unwanted.has(value)));
    const column = this.#dataset.itemAttributes.get(attribute);
    const fitValues = column?.values.ids.map((value) => isFit(value === '' ? [] : [value]));
    const isFitWithout = isFit([]);
    return (index) => {
      const upserted = this.#fields.get(index)?.fields.get(attribute);
      if (upserted !== undefined) return isFit(typeof upserted === 'string' ? [upserted] : upserted);
      if (!column || !fitValues || index >= this.#ofRun) return isFitWithout;
      return fitValues[at(column.index, index)] ?? isFitWithout;
    };
  }

  /** What a model is told of items, queries and words. */
  get forModel(): Catalogue {
    return {
      ...this.#queries,
      items: this.size,
      itemAttributes: { ...this.#columns },
    };
  }
}
