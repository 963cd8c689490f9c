/** Tables of text, and numbers in them. Knows alignment; does not know what is in them. */

/** A number below 1 as tables have it, .2506; a dash for what cannot be told. */
export const decimals = (value: number, digits = 4): string =>
  Number.isFinite(value) ? value.toFixed(digits).replace(/^(-?)0\./, '$1.') : '–';

/** Settings in a line: learningRate 0.003, dropout 0.1. */
export function settingsText(settings: Readonly<Record<string, unknown>>): string {
  return Object.entries(settings)
    .map(([name, value]) => `${name} ${typeof value === 'string' ? value : JSON.stringify(value)}`)
    .join(', ');
}

/** Rows of cells in columns, each to the left (`<`) or to the right (`>`); the first to the left and the others to the right unless told. */
export function textTable(rows: readonly (readonly string[])[], alignment = '<'): string {
  return cellsInColumns(rows, alignment)
    .map((cells) => cells.join('  ').trimEnd())
    .join('\n');
}

/** A table in Markdown that can be read as text too. The first row has the titles. */
export function markdownTable(rows: readonly (readonly string[])[], alignment = '<'): string {
  const [titles, ...others] = cellsInColumns(rows, alignment) as [string[], ...string[][]];
  const rule = titles.map((title, column) => {
    const dashes = '-'.repeat(Math.max(3, title.length));
    return sideOf(alignment, column) === '<' ? dashes : `${dashes.slice(1)}:`;
  });
  return [titles, rule, ...others].map((cells) => `| ${cells.join(' | ')} |`).join('\n');
}

const sideOf = (alignment: string, column: number): string => alignment[column] ?? '>';

function cellsInColumns(rows: readonly (readonly string[])[], alignment: string): string[][] {
  const columns = Math.max(...rows.map((row) => row.length));
  const widths = Array.from({ length: columns }, (_, column) =>
    Math.max(...rows.map((row) => (row[column] ?? '').length)),
  );
  return rows.map((row) =>
    widths.map((width, column) => {
      const cell = row[column] ?? '';
      return sideOf(alignment, column) === '<' ? cell.padEnd(width) : cell.padStart(width);
    }),
  );
}
