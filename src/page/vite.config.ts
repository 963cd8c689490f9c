/** How the page is built, into dist/page. Knows Vite; the colours of figures come in here, as custom properties, so that they are said once. */
import { type Plugin, defineConfig } from 'vite';
import { COLOURS, COLOURS_ON_DARK, DARK, LIGHT } from '../figure/colours.js';

/** Whom `npx vite src/page` asks, while one works on the page. */
const SERVER = 'http://127.0.0.1:8080';
const COLOURS_FILE = 'virtual:colours.css';

/** `--colour-1` to `--colour-6`, ground and ink, each for a light and a dark ground. */
function colours(): Plugin {
  const rules = [
    `--ground: light-dark(${LIGHT.ground}, ${DARK.ground});`,
    `--ink: light-dark(${LIGHT.ink}, ${DARK.ink});`,
    `--on-colour: light-dark(${LIGHT.onColour}, ${DARK.onColour});`,
    ...COLOURS.map((colour, i) => `--colour-${i + 1}: light-dark(${colour}, ${COLOURS_ON_DARK[i]});`),
  ];
  return {
    name: 'colours',
    resolveId: (id) => (id === COLOURS_FILE ? `\0${COLOURS_FILE}` : null),
    load: (id) => (id === `\0${COLOURS_FILE}` ? `:root { ${rules.join(' ')} }` : null),
  };
}

export default defineConfig({
  base: './',
  plugins: [colours()],
  server: { proxy: { '/v1': SERVER, '/health': SERVER } },
  build: {
    outDir: '../../dist/page',
    emptyOutDir: true,
    target: 'es2022',
    cssTarget: ['chrome123', 'firefox120', 'safari17.5'],
    license: { fileName: 'licenses.md' },
    assetsInlineLimit: 0, // nothing of the page is a data: address, so that its policy can be strict
    modulePreload: { polyfill: false },
  },
});
