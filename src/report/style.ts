/** The style sheet of reports. Knows how a page looks on a phone, on a desk, on paper, by day and by night; does not know its content. */
import { COLOURS, COLOURS_ON_DARK, DARK, LIGHT } from '../figure/index.js';

const light = `--ground: ${LIGHT.ground}; --ink: ${LIGHT.ink}; --quiet: #59616b; --rule: #d5d9de; --faint: #f4f5f7; --accent: ${COLOURS[0]}; --similar: ${COLOURS[0]}; --dissimilar: ${COLOURS[1]};`;
const dark = `--ground: ${DARK.ground}; --ink: ${DARK.ink}; --quiet: #a4acb6; --rule: #3a4048; --faint: #1e2228; --accent: ${COLOURS_ON_DARK[0]}; --similar: ${COLOURS_ON_DARK[0]}; --dissimilar: ${COLOURS_ON_DARK[1]};`;

export const STYLE = `
:root { color-scheme: light dark; ${light} }
@media screen and (prefers-color-scheme: dark) { :root { ${dark} } }
* { box-sizing: border-box; }
html { -webkit-text-size-adjust: 100%; text-size-adjust: 100%; }
body {
  margin: 0; background: var(--ground); color: var(--ink);
  font: 1rem/1.55 system-ui, -apple-system, "Segoe UI", Roboto, "Noto Sans", sans-serif;
  overflow-wrap: anywhere;
}
main { max-width: 62rem; margin: 0 auto; padding: 2.5rem 1.25rem 4rem; }
h1, h2, h3 { line-height: 1.25; text-wrap: balance; }
h1 { font-size: 1.9rem; font-weight: 650; letter-spacing: -.01em; margin: .2rem 0 1rem; }
h2 { font-size: 1.3rem; font-weight: 650; margin: 3.2rem 0 .6rem; padding-top: 1rem; border-top: 1px solid var(--rule); }
h3 { font-size: 1.05rem; font-weight: 650; margin: 2rem 0 .5rem; }
p, ul, ol, dl { max-width: 44rem; margin: .7rem 0; }
li { margin: .3rem 0; }
a { color: var(--accent); text-decoration-thickness: .06em; text-underline-offset: .15em; }
code { font: .88em/1.5 ui-monospace, "SF Mono", Menlo, Consolas, "DejaVu Sans Mono", monospace; }
pre { max-width: 100%; margin: .7rem 0; padding: .8rem 1rem; background: var(--faint); border-radius: .4rem; white-space: pre-wrap; }
.kind { color: var(--quiet); font-size: .9rem; letter-spacing: .02em; margin: 0; }
.quiet, figcaption, .caption { color: var(--quiet); }
.lead p { font-size: 1.08rem; }
nav { margin: 1.8rem 0 0; font-size: .95rem; }
nav ul { list-style: none; padding: 0; display: flex; flex-wrap: wrap; gap: .1rem 1.3rem; max-width: none; }

figure { margin: 1.2rem 0; }
figcaption { max-width: 44rem; font-size: .9rem; margin-top: .5rem; }
figure svg { display: block; max-width: 100%; height: auto; color: var(--ink); }
.narrow { display: none; }
@media screen and (max-width: 40rem) { .narrow { display: block; } .wide { display: none; } }

.scroll { overflow-x: auto; margin: .5rem 0 1rem; }
.scroll:focus-visible { outline: 2px solid var(--accent); outline-offset: 2px; }
table { border-collapse: collapse; font-size: .9rem; line-height: 1.35; font-variant-numeric: tabular-nums; overflow-wrap: normal; }
.caption { font-size: .9rem; margin: 1.6rem 0 .5rem; }
h2 + .table > .caption, h3 + .table > .caption { margin-top: .3rem; }
th, td { padding: .38rem .7rem; text-align: right; vertical-align: top; white-space: nowrap; }
table { border-bottom: 1px solid var(--rule); }
thead th { font-weight: 600; vertical-align: bottom; border-bottom: 1px solid var(--ink); }
tbody tr + tr > * { border-top: 1px solid var(--rule); }
tbody th { font-weight: 400; }
th:first-child { position: sticky; left: 0; background: var(--ground); text-align: left; padding-left: 0; white-space: normal; min-width: 8rem; max-width: 14rem; overflow-wrap: anywhere; }
@media screen and (max-width: 40rem) { th:first-child { min-width: 5.5rem; max-width: 8rem; } }
td.text, th.text, td.name, th.name { text-align: left; }
td.text { white-space: normal; min-width: 11rem; max-width: 24rem; overflow-wrap: anywhere; }
tr.group > th { color: var(--quiet); font-size: .82rem; padding-top: .9rem; }
.best { font-weight: 700; }
.second { text-decoration: underline; text-decoration-thickness: .08em; text-underline-offset: .2em; }
.interval { color: var(--quiet); font-size: .92em; }

dl.facts { display: grid; grid-template-columns: minmax(7rem, max-content) 1fr; gap: .35rem 1.2rem; font-size: .95rem; }
dl.facts dt { color: var(--quiet); }
dl.facts dd { margin: 0; min-width: 0; }
@media (max-width: 30rem) { dl.facts { grid-template-columns: 1fr; gap: 0; } dl.facts dd { margin-bottom: .5rem; } }

dl.terms dt { color: var(--ink); font-weight: 600; }
ul.settings { list-style: none; padding: 0; margin: 0; columns: 15rem; font-size: .92em; }
ul.settings li { margin: 0; break-inside: avoid; }

.timeline { list-style: none; padding: 0; margin: 1.2rem 0; max-width: 46rem; }
.timeline li { display: grid; grid-template-columns: minmax(0, 1fr) 2rem minmax(0, 1fr); margin: 0; align-items: baseline; font-size: .95rem; line-height: 1.35; }
.timeline .titles { color: var(--quiet); font-size: .9rem; }
.timeline .search { grid-column: 1; text-align: right; }
.timeline .axis { grid-column: 2; text-align: center; align-self: stretch; padding-top: .3rem; background: linear-gradient(var(--rule), var(--rule)) center / 1px 100% no-repeat; }
.timeline .titles .axis { background: none; }
.timeline .feed { grid-column: 3; }
.timeline .search, .timeline .axis, .timeline .feed { grid-row: 1; }
.timeline .what { padding: .26rem 0; }
.timeline small { color: var(--quiet); font-size: .85em; }
.timeline .what small { display: block; }
.timeline .search .title { font-weight: 600; }
.side { display: inline-block; width: .72rem; height: .72rem; background: var(--similar); border-radius: 50%; print-color-adjust: exact; -webkit-print-color-adjust: exact; }
.side.dissimilar { width: .64rem; height: .64rem; background: var(--dissimilar); border-radius: 0; transform: rotate(45deg); }
.side.none { width: .45rem; height: .45rem; background: var(--quiet); }
.heard { position: absolute; width: 1px; height: 1px; overflow: hidden; clip-path: inset(50%); white-space: nowrap; }
ol.recommended { padding-left: 1.6rem; }
ol.recommended ul { padding-left: 1.1rem; color: var(--quiet); font-size: .95rem; }

@media print {
  @page { size: A4; margin: 16mm 14mm 18mm; }
  html { font-size: 9.5pt; }
  main { max-width: none; padding: 0; }
  h1 { font-size: 18pt; }
  h2 { font-size: 13pt; margin-top: 18pt; break-after: avoid; }
  h3 { break-after: avoid; }
  nav { display: none; }
  a { color: inherit; text-decoration: none; }
  .scroll { overflow: visible; }
  table { font-size: 7.6pt; }
  th, td { padding: 1.2pt 4pt; }
  th:first-child { position: static; min-width: 0; }
  td.text { min-width: 0; }
  tr.group > th { white-space: nowrap; padding-top: 3.5pt; }
  figure, .table, tr, .timeline li, pre, dd, li { break-inside: avoid; }
  figure svg { max-height: 100mm; width: auto; }
  thead { display: table-header-group; }
  p, li { orphans: 3; widows: 3; }
}
`;
