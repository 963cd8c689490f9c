/**
 * The simulated catalogue: categories, items, their attributes and how popular they are. Knows no users.
 */
import { Random, at, getOrCreate, range } from '../base/index.js';
import { Weighted, oneOf, zipf } from './draw.js';
import { COLOURS, DEPARTMENTS, LINES, PRICES, brandName } from './words.js';

/** Exponents of Zipf's law: how unequal items, categories and brands are. */
const POPULARITY = { items: 0.9, categories: 0.5, brands: 0.8 } as const;
const ITEMS_PER_CATEGORY = 12;
const BRANDS_PER_CATEGORY = 5;
const CATEGORIES_PER_DEPARTMENT = 6;
/** How often an item is asked for of a brand before any item of the category will do. */
const BRAND_TRIES = 12;

export interface Category {
  /** What people call it, such as `hiking boots`. */
  readonly name: string;
  readonly department: string;
  /** Brands with items in it, the most common first. */
  readonly brands: readonly string[];
}

export interface Item {
  readonly id: string;
  readonly category: number;
  readonly brand: string;
  readonly title: string;
  readonly price: string;
}

/** Items, their categories, and how they are drawn. */
export interface ShopCatalogue {
  readonly categories: readonly Category[];
  readonly items: readonly Item[];
  /** A category, in proportion to how much it is liked. */
  drawCategory(random: Random): number;
  /** A category of the same department as another one, perhaps itself. */
  drawSibling(random: Random, category: number): number;
  /** An item of a category in proportion to its popularity; of the brand, where one is named and has items there. */
  drawItem(random: Random, category: number, brand: string | null): number;
  /**
   * An item of a category, all alike, and of the brand where one is named and has items there: what a search finds. It
   * must tell nothing of how popular items are, or the clicks of some people would tell what others will want.
   */
  findItem(random: Random, category: number, brand: string | null): number;
}

/** How many categories a catalogue of so many items has: about one for twelve items, 4 to 960. */
function categoryCount(items: number): number {
  const most = Object.values(DEPARTMENTS).flat().length * LINES.length;
  return Math.min(most, Math.max(4, Math.round(items / ITEMS_PER_CATEGORY)));
}

export function makeCatalogue(count: number, ...names: readonly (string | number)[]): ShopCatalogue {
  const random = new Random(...names, 'catalogue');
  const categories = makeCategories(categoryCount(count), random);
  const byLiking = new Weighted(zipf(categories.length, POPULARITY.categories));
  const brandsByShare = new Weighted(zipf(BRANDS_PER_CATEGORY, POPULARITY.brands));
  const items = Array.from({ length: count }, (_, index): Item => {
    // every category has an item before any has a second one
    const category = index < categories.length ? index : byLiking.draw(random);
    const { name, brands } = categories[category] as Category;
    const brand = brands[brandsByShare.draw(random)] as string;
    return {
      id: `i${index + 1}`,
      category,
      brand,
      title: `${brand} ${oneOf(random, COLOURS)} ${name} ${100 + random.integer(900)}`,
      price: oneOf(random, PRICES),
    };
  });
  const weights = zipf(count, POPULARITY.items);
  const rank = random.shuffle(range(count));
  const members = categories.map((): number[] => []);
  for (const [index, { category }] of items.entries()) (members[category] as number[]).push(index);
  const byPopularity = members.map((indices) => new Weighted(indices.map((index) => at(weights, at(rank, index)))));
  const siblings = new Map<string, number[]>();
  for (const [category, { department }] of categories.entries())
    getOrCreate(siblings, department, () => []).push(category);

  const ofBrand = new Map<string, number[]>();
  for (const [index, { category, brand }] of items.entries())
    getOrCreate(ofBrand, `${category} ${brand}`, () => []).push(index);

  const drawAny = (source: Random, category: number): number =>
    at(members[category] as number[], (byPopularity[category] as Weighted).draw(source));
  return {
    categories,
    items,
    drawCategory: (source) => byLiking.draw(source),
    drawSibling: (source, category) =>
      oneOf(source, siblings.get((categories[category] as Category).department) as number[]),
    findItem: (source, category, brand) =>
      oneOf(source, ofBrand.get(`${category} ${brand}`) ?? (members[category] as number[])),
    drawItem: (source, category, brand) => {
      const fits = (item: number): boolean => brand === null || items[item]?.brand === brand;
      let item = drawAny(source, category);
      for (let tries = 0; !fits(item) && tries < BRAND_TRIES; tries++) item = drawAny(source, category);
      return item;
    },
  };
}

/** Categories and their brands. Small catalogues have few departments, so that most categories have siblings. */
function makeCategories(count: number, random: Random): Category[] {
  const departments = shuffled(Object.keys(DEPARTMENTS), random).slice(0, Math.ceil(count / CATEGORIES_PER_DEPARTMENT));
  const kinds = departments.flatMap((department) =>
    (DEPARTMENTS[department] as readonly string[]).map((name) => ({ department, name })),
  );
  const lines = LINES.slice(0, Math.ceil(count / kinds.length));
  const named = lines.flatMap((line) =>
    kinds.map(({ department, name }) => ({ department, name: line === '' ? name : `${line} ${name}` })),
  );
  const brandPool = Math.min(4096, 16 + 2 * count);
  return shuffled(named, random)
    .slice(0, count)
    .map((category) => {
      const brands = new Set<string>();
      while (brands.size < BRANDS_PER_CATEGORY) brands.add(brandName(random.integer(brandPool)));
      return { ...category, brands: [...brands] };
    });
}

function shuffled<T>(values: readonly T[], random: Random): T[] {
  return Array.from(random.shuffle(range(values.length)), (position) => values[position] as T);
}
