/** Where the page begins. */
import 'virtual:colours.css';
import '@fontsource-variable/atkinson-hyperlegible-next';
import './style/tokens.css';
import './style/base.css';
import './style/components.css';
import { render } from 'preact';
import { Shell } from './app/shell.js';
import { language } from './texts/index.js';

document.documentElement.lang = language.tag;
document.documentElement.dir = language.direction;
render(<Shell />, document.querySelector('#page')!);
