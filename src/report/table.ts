/**
 * Tables of a report. Knows how a table stays readable where it is wider than the screen: it scrolls in a box of its own, and the
 * first column stays. Does not know what is in it.
 */
import { type Content, type Html, html } from './html.js';

export interface Column {
  readonly title: Content;
  /** Text and names stand to the left, and text may break into lines; figures stand to the right. */
  readonly kind: 'text' | 'name' | 'figure';
}

/** The cells of a row, the first of which names it; or the name of a group, that of the rows that follow. */
export type Row = { readonly cells: readonly Content[] } | { readonly group: string };

/** Rows under the names of their groups, in the order of groups; a group that has none is not named. */
export function grouped<Told extends { readonly group: string }>(
  groups: readonly string[],
  rows: readonly Told[],
  cells: (row: Told) => readonly Content[],
): Row[] {
  return groups.flatMap((group) => {
    const own = rows.filter((row) => row.group === group);
    return own.length === 0 ? [] : [{ group }, ...own.map((row) => ({ cells: cells(row) }))];
  });
}

export interface Table {
  /** What the table shows, also for people who only hear of it. */
  readonly label: string;
  /** What is said above it. */
  readonly caption?: Content;
  /** That of the row names first. */
  readonly columns: readonly Column[];
  readonly rows: readonly Row[];
}

export function tableHtml({ label, caption, columns, rows }: Table): Html {
  const kinds = columns.map(({ kind }) => kind);
  return html`<div class="table">
    ${caption !== undefined && html`<p class="caption">${caption}</p>`}
    <div class="scroll" role="region" aria-label="${label}" tabindex="0">
      <table aria-label="${label}">
        <thead>
          <tr>
            ${columns.map(({ title, kind }) => html`<th scope="col" class="${kind}">${title}</th>`)}
          </tr>
        </thead>
        <tbody>
          ${rows.map((row) => rowHtml(row, kinds))}
        </tbody>
      </table>
    </div>
  </div> `;
}

function rowHtml(row: Row, kinds: readonly Column['kind'][]): Html {
  if ('group' in row)
    return html`<tr class="group">
      <th scope="rowgroup">${row.group}</th>
      <td colspan="${kinds.length - 1}"></td>
    </tr> `;
  const [name = '', ...cells] = row.cells;
  return html`<tr>
    <th scope="row">${name}</th>
    ${cells.map((cell, i) => html`<td class="${kinds[i + 1] ?? 'figure'}">${cell}</td>`)}
  </tr> `;
}
