/**
 * The colours of figures. Knows which colours there are on a light and on a dark ground; does not know what they mean.
 *
 * After Okabe and Ito ("Color Universal Design", 2008), each moved in lightness until all six keep apart for people who see few
 * colours and stand out from their ground: test/figure/colours.test.ts computes both.
 */

/** What figures are drawn with: colours for a light ground, in the order in which they are taken. */
export const COLOURS = ['#0b5ba3', '#b3450a', '#378d74', '#722f58', '#b98a14', '#1b96ea'] as const;

/** What becomes of each on a dark ground. */
export const COLOURS_ON_DARK = ['#8ab9ec', '#e9742c', '#5fe6c4', '#b27a97', '#f5c02e', '#2a86d6'] as const;

/** The ground of a figure, text and lines on it, and text on what is filled with one of the first two colours. */
export const LIGHT = { ground: '#ffffff', ink: '#1b1f24', onColour: '#ffffff' } as const;
export const DARK = { ground: '#15181d', ink: '#e4e6e9', onColour: '#15181d' } as const;
