/**
 * `custom-elements.json`: what editors know of the elements. The analyser reads classes and their comments; attributes
 * are in tables, which it is given here as they were built.
 */

import { PLAYER, PLAYER_MEANS, PUSHER, PUSHER_MEANS, propertyOf } from './dist/index.js';

const TABLES = { 'live-player': [PLAYER, PLAYER_MEANS], 'live-pusher': [PUSHER, PUSHER_MEANS] };

export default {
  globs: ['src/live-player.ts', 'src/live-pusher.ts'],
  outdir: '.',
  plugins: [
    {
      name: 'tables',
      packageLinkPhase({ customElementsManifest }) {
        const all = customElementsManifest.modules.flatMap(({ declarations }) => declarations);
        for (const element of all) {
          const table = TABLES[element.tagName];
          if (table) describe(element, ...table);
        }
      },
    },
  ],
};

function describe(element, table, means) {
  const entries = Object.entries(table);
  element.attributes = entries.map(([name, attribute]) => ({
    name,
    fieldName: propertyOf(name),
    type: { text: typeOf(attribute) },
    default: JSON.stringify(attribute.initial),
    description: wordsOf(attribute, means[name]),
  }));
  const isOpen = ({ name, privacy }) => privacy !== 'private' && !name.startsWith('#') && !name.endsWith('Callback');
  const fields = entries.map(([name, attribute]) => ({
    kind: 'field',
    name: propertyOf(name),
    attribute: name,
    reflects: true,
    type: { text: typeOf(attribute) },
    default: JSON.stringify(attribute.initial),
    description: wordsOf(attribute, means[name]),
  }));
  element.members = [...fields, ...(element.members ?? []).filter((member) => !member.static && isOpen(member))];
}

function typeOf({ type, words }) {
  return words ? words.map((word) => `'${word}'`).join(' | ') : type;
}

function wordsOf({ unable }, means) {
  return unable ? `${means}. Without effect: ${unable}.` : means;
}
