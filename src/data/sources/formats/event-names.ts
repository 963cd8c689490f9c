/** What sites call the things people do, where a format leaves the name to them. Knows words; does not know any format. */

/** Names in lower case, without blanks, dashes and underscores, and our type for each. */
const TYPES: Readonly<Record<string, string>> = {
  interaction: 'interaction',
  view: 'view',
  viewed: 'view',
  read: 'view',
  detailview: 'view',
  detailpageview: 'view',
  productview: 'view',
  viewitem: 'view',
  click: 'click',
  clicked: 'click',
  selectitem: 'click',
  cart: 'cart',
  addtocart: 'cart',
  basket: 'cart',
  purchase: 'purchase',
  purchased: 'purchase',
  buy: 'purchase',
  order: 'purchase',
  transaction: 'purchase',
  like: 'like',
  upvote: 'like',
  play: 'play',
  watch: 'play',
  watched: 'play',
  listen: 'play',
  stream: 'play',
  rate: 'rate',
  rating: 'rate',
  review: 'rate',
  favorite: 'favorite',
  favourite: 'favorite',
  star: 'favorite',
  save: 'save',
  bookmark: 'save',
  wishlist: 'save',
  addtowishlist: 'save',
  share: 'share',
  follow: 'follow',
  subscribe: 'follow',
  comment: 'comment',
  download: 'download',
};

/** Names of what shows no interest, written likewise. */
const IGNORED: readonly string[] = ['impression', 'dislike', 'downvote', 'skip', 'hide'];

/** The ways in which names are written: addtocart, AddToCart, add_to_cart, ADD_TO_CART, add-to-cart, Add To Cart. */
const PARTS: Readonly<Record<string, string>> = {
  addtocart: 'add to cart',
  addtowishlist: 'add to wishlist',
  detailview: 'detail view',
  detailpageview: 'detail page view',
  productview: 'product view',
  viewitem: 'view item',
  selectitem: 'select item',
};

function spellings(name: string): string[] {
  const parts = (PARTS[name] ?? name).split(' ');
  const capitals = parts.map((part) => part[0]?.toUpperCase() + part.slice(1));
  return [
    ...['', '_', '-', ' '].flatMap((between) => [
      parts.join(between),
      parts.join(between).toUpperCase(),
      capitals.join(between),
    ]),
    [parts[0], ...capitals.slice(1)].join(''),
  ];
}

/** Every spelling of a name we know, and our type for it. */
export const EVENT_NAMES: Readonly<Record<string, string>> = Object.fromEntries(
  Object.entries(TYPES).flatMap(([name, type]) => spellings(name).map((spelling) => [spelling, type])),
);

/** Every spelling of names that show no interest. */
export const IGNORED_NAMES: readonly string[] = IGNORED.flatMap(spellings);
