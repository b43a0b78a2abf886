import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { NO_STATUS, State } from '@thalweg/player';
import { describe, expect, it } from 'vitest';
import { type Attribute, type Table, takes } from '../src/attributes';
import { PLAYER_METHODS } from '../src/live-player';
import { PUSHER_METHODS, UNABLE_METHODS } from '../src/live-pusher';
import { PLAYER_MEANS, PUSHER_MEANS } from '../src/means';
import { PLAYER } from '../src/play/attributes';
import { PUSHER } from '../src/push/attributes';
import { NO_STATUS as NO_PUSH_STATUS } from '../src/push/status';

/** `UPDATE_DOCS=1 npx vitest run tests/docs.test.ts` writes the tables of attributes anew. */
const file = fileURLToPath(new URL('../../../../docs/ref/elements.md', import.meta.url));

describe('docs/ref/elements.md', () => {
  it.each([
    ['live-player', PLAYER, PLAYER_MEANS],
    ['live-pusher', PUSHER, PUSHER_MEANS],
  ])('has the attributes of <%s> as they are', (name, table, means) => {
    const text = readFileSync(file, 'utf8');
    const [before, after] = [`<!-- attributes of ${name} -->\n`, '<!-- end of attributes -->'];
    const from = text.indexOf(before) + before.length;
    const to = text.indexOf(after, from);
    expect(from).toBeGreaterThan(before.length);
    if (process.env.UPDATE_DOCS) writeFileSync(file, text.slice(0, from) + tableOf(table, means) + text.slice(to));
    else expect(text.slice(from, to)).toBe(tableOf(table, means));
  });

  // Of these the words are the document's own: here is what must not be missing, or be there for nothing.
  const player = () => section('## `<live-player>`', '## `<live-pusher>`');
  const pusher = () => section('## `<live-pusher>`', '## Addresses');
  it('has every code of the player, and no other', () => {
    expect(codesIn(player())).toEqual(Object.values(State).sort());
  });

  it('has every code that the pusher says, and no other', () => {
    expect(codesIn(pusher())).toEqual(codesOfPusher());
  });

  it('has every key of netstatus', () => {
    expect(keysIn(player())).toEqual([...Object.keys(NO_STATUS), 'delay'].sort());
    expect(keysIn(pusher())).toEqual(Object.keys(NO_PUSH_STATUS).sort());
  });

  it('has every method', () => {
    const [ofPlayer, ofPusher] = [player(), pusher()];
    expect(PLAYER_METHODS.filter((name) => !ofPlayer.includes(`\`${name}`))).toEqual([]);
    expect([...PUSHER_METHODS, ...UNABLE_METHODS].filter((name) => !ofPusher.includes(`\`${name}`))).toEqual([]);
  });

  it('gathers all that has no effect in one place, attributes with the reason that a page is told', () => {
    const gathered = section('## What a browser cannot honour', '## What a page has to allow');
    const rowOfWhat = (name: string) =>
      gathered.split('\n').filter((line) => line.startsWith('|') && line.includes(`\`${name}\``));
    for (const table of [PLAYER, PUSHER])
      for (const [name, { unable }] of Object.entries<Attribute>(table)) {
        const isThere = rowOfWhat(name).some((row) => unable !== undefined && row.includes(unable));
        expect(isThere, name).toBe(unable !== undefined);
      }
    for (const name of UNABLE_METHODS) expect(rowOfWhat(name), name).toHaveLength(1);
  });
});

function tableOf(table: Table, means: Readonly<Record<string, string>>): string {
  const rows = Object.entries(table).map(([name, attribute]) => rowOf(name, attribute, means[name] ?? ''));
  return ['| attribute | default | takes | |', '|---|---|---|---|', ...rows, ''].join('\n');
}

function rowOf(name: string, attribute: Attribute, means: string): string {
  const initial = attribute.initial === '' ? '' : `\`${attribute.initial}\``;
  const words = attribute.unable ? `${means}. *Without effect: ${attribute.unable}* ` : `${means} `;
  return `| \`${name}\` | ${initial}${initial && ' '}| ${takes(attribute)} | ${words}|`;
}

function section(from: string, to: string): string {
  const text = readFileSync(file, 'utf8');
  return text.slice(text.indexOf(from), text.indexOf(to));
}

/** What stands first in a row that begins with a number. */
function codesIn(text: string): number[] {
  return [...text.matchAll(/^\| (-?\d{4,5}) \|/gm)].map(([, code]) => Number(code)).sort();
}

/** The numbers in the pusher's sources that are codes of the mini-program's. */
function codesOfPusher(): number[] {
  const folder = fileURLToPath(new URL('../src/', import.meta.url));
  const files = ['live-pusher.ts', ...readdirSync(`${folder}push`).map((file) => `push/${file}`)];
  const text = files.map((file) => readFileSync(folder + file, 'utf8')).join('\n');
  const found = text.matchAll(/(?<![\w.])-?(?:100[1-8]|11\d\d|13\d\d|300[1-5]|5000|1000[1-4])\b/g);
  return [...new Set([...found].map(([code]) => Number(code)))].sort();
}

/** Of the tables under "netstatus". */
function keysIn(text: string): string[] {
  const table = text.slice(text.indexOf('### netstatus'));
  const end = table.indexOf('\n### ', 4);
  return [...table.slice(0, end < 0 ? undefined : end).matchAll(/^\| (`[^|]+`) \|/gm)]
    .flatMap(([, keys]) => [...(keys ?? '').matchAll(/`(\w+)`/g)].map(([, key]) => key ?? ''))
    .sort();
}
