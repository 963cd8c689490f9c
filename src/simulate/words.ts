/**
 * What the simulated shop is made of, in words: departments and the kinds of things in them, adjectives, syllables of
 * brand names, keys that lie side by side. Knows English; does not know who buys what.
 */

/** Departments and their kinds of things. Every kind is a category; no two have a name in common. */
export const DEPARTMENTS: Readonly<Record<string, readonly string[]>> = {
  outdoor: [
    'hiking boots',
    'rain jackets',
    'camping tents',
    'sleeping bags',
    'head torches',
    'walking poles',
    'water bottles',
    'climbing ropes',
  ],
  kitchen: [
    'frying pans',
    'bread knives',
    'coffee grinders',
    'mixing bowls',
    'spice jars',
    'baking trays',
    'tea kettles',
    'salad spinners',
  ],
  garden: [
    'tomato seeds',
    'garden hoses',
    'flower pots',
    'bird feeders',
    'pruning shears',
    'compost bins',
    'solar lanterns',
    'rose bushes',
  ],
  music: [
    'guitar strings',
    'piano stools',
    'drum sticks',
    'vinyl records',
    'studio microphones',
    'violin bows',
    'headphone amplifiers',
    'sheet music',
  ],
  sport: [
    'running shoes',
    'yoga mats',
    'tennis rackets',
    'swimming goggles',
    'cycling gloves',
    'football scarves',
    'jump ropes',
    'kettle bells',
  ],
  office: [
    'desk lamps',
    'standing desks',
    'fountain pens',
    'paper trays',
    'wall calendars',
    'office chairs',
    'label printers',
    'whiteboard markers',
  ],
  children: [
    'wooden trains',
    'picture books',
    'building blocks',
    'finger paints',
    'doll houses',
    'night lights',
    'school bags',
    'board games',
  ],
  beauty: [
    'hand creams',
    'lip balms',
    'shaving brushes',
    'nail polish',
    'bath salts',
    'face masks',
    'hair clips',
    'sun lotions',
  ],
  pets: [
    'dog leads',
    'cat trees',
    'fish tanks',
    'hamster wheels',
    'bird cages',
    'rabbit hutches',
    'puppy toys',
    'litter boxes',
  ],
  tools: [
    'cordless drills',
    'paint rollers',
    'tape measures',
    'wood planes',
    'socket sets',
    'work gloves',
    'spirit levels',
    'wire cutters',
  ],
  food: [
    'green teas',
    'olive oils',
    'dark chocolates',
    'roasted nuts',
    'hot sauces',
    'dried mangoes',
    'wild honeys',
    'rye flours',
  ],
  home: [
    'linen curtains',
    'scented candles',
    'throw pillows',
    'picture frames',
    'wool blankets',
    'door mats',
    'mirror cabinets',
    'laundry baskets',
  ],
};

/** What makes more categories of the same kinds, for large catalogues; the first makes none. */
export const LINES = ['', 'vintage', 'mini', 'luxury', 'folding', 'organic', 'smart', 'handmade', 'industrial', 'baby'];

export const COLOURS = ['black', 'white', 'red', 'blue', 'green', 'grey', 'yellow', 'brown'];

/** What people put before the thing they look for. */
export const WISHES = ['best', 'cheap', 'small', 'large', 'light', 'strong', ...COLOURS];

export const PRICES = ['budget', 'middle', 'premium'];

export const REGIONS = ['north', 'east', 'south', 'west'];

export const AGES = ['18-24', '25-34', '35-49', '50-64', '65+'];

const FIRST = ['al', 'bo', 'ca', 'du', 'el', 'fi', 'go', 'ha', 'in', 'jo', 'ka', 'lu', 'mo', 'no', 'or', 'pa'];
const SECOND = ['bra', 'den', 'go', 'ko', 'la', 'mar', 'ni', 'ro', 'sta', 'ta', 'va', 'wen', 'xo', 'yu', 'zan', 'ri'];

/** The name of brand `index` (below 4,096), such as `Aldenro`. No two are alike, and none is the plain name of a thing. */
export function brandName(index: number): string {
  const mixed = (index * 2731) % 4096; // an odd factor: every number once
  const name = `${FIRST[mixed % 16]}${SECOND[(mixed >> 4) % 16]}${SECOND[mixed >> 8]}`;
  return name.charAt(0).toUpperCase() + name.slice(1);
}

/** Neighbours on a keyboard, for slips of the finger. */
export const NEIGHBOURS: Readonly<Record<string, string>> = {
  a: 's',
  b: 'v',
  c: 'x',
  d: 'f',
  e: 'r',
  f: 'g',
  g: 'h',
  h: 'j',
  i: 'o',
  k: 'l',
  l: 'k',
  m: 'n',
  n: 'b',
  o: 'p',
  p: 'o',
  r: 't',
  s: 'd',
  t: 'y',
  u: 'i',
  w: 'e',
};
