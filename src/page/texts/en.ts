/**
 * Everything that the page says, in English. Texts with something in them are functions; `plural` chooses by the rules of the language. No
 * text has markup.
 */
import { watching } from './en-watching.js';

export const en = {
  views: {
    people: 'People',
    'what-if': 'What if',
    catalogue: 'Catalogue',
    experiments: 'Experiments',
    'data-health': 'Data health',
    operations: 'Operations',
  },
  shell: {
    skip: 'Skip to the content',
    home: 'sesrec, first view',
    navigation: 'Views',
    theme: 'Colours',
    themes: { system: 'Auto', light: 'Light', dark: 'Dark' },
    away: 'The server cannot be reached. The page asks again every two seconds; what you see is what it said last.',
    starting: 'The server is starting. The page goes on as soon as it is ready.',
    model: (name: string, version: string) => `Model ${name}, version ${version}`,
  },
  key: {
    title: 'This server wants a key',
    explanation: 'It shows what people did, so it asks who looks. Use a key with the scope “admin”.',
    refused: 'The server does not take the key that was used. Use one with the scope “admin”.',
    label: 'Key',
    use: 'Use this key',
    another: 'Use another key',
  },
  states: {
    loading: 'Loading',
    failed: 'That did not work',
    offline: 'The server cannot be reached',
    willReturn: 'This comes back by itself when the server does.',
    again: 'Try again',
    nothingFound: 'Nothing found',
  },
  ...watching,
  sides: { similar: 'similar', dissimilar: 'dissimilar', none: 'no side' },
};
