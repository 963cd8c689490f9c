/**
 * A report as one HTML file: no network, no script, nothing beside it. Knows the parts that every report has; does not know what they
 * say.
 */
import { type Content, Html, html } from './html.js';
import { STYLE } from './style.js';

export interface Section {
  /** Its address within the page: letters and hyphens. */
  readonly id: string;
  readonly title: string;
  readonly body: Content;
}

export interface Page {
  /** What it is a report of, in a word or two. */
  readonly kind: string;
  readonly title: string;
  /** What came out, before anything else. */
  readonly lead: Content;
  readonly sections: readonly Section[];
}

/** What a browser may fetch or run on behalf of the page: nothing. Styles stand in the page itself. */
const POLICY = "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'";

/** The file of a page. */
export function documentOf({ kind, title, lead, sections }: Page): string {
  const page = html`<!doctype html>
    <html lang="en">
      <head>
        <meta charset="utf-8" />
        <meta http-equiv="Content-Security-Policy" content="${POLICY}" />
        <meta name="viewport" content="width=device-width, initial-scale=1" />
        <meta name="color-scheme" content="light dark" />
        <title>${title}</title>
        <style>
          ${new Html(STYLE)}
        </style>
      </head>
      <body>
        <main>
          <header>
            <p class="kind">${kind}</p>
            <h1>${title}</h1>
            <div class="lead">${lead}</div>
            <nav aria-label="Contents">
              <ul>
                ${sections.map(({ id, title }) => html`<li><a href="#${id}">${title}</a></li>`)}
              </ul>
            </nav>
          </header>
          ${sections.map(sectionHtml)}
        </main>
      </body>
    </html> `;
  return page.toString();
}

function sectionHtml({ id, title, body }: Section): Html {
  return html`<section id="${id}" aria-labelledby="${id}-title">
    <h2 id="${id}-title">${title}</h2>
    ${body}
  </section> `;
}
