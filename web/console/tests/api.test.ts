/** The mock, the types and the forms against the server's own document: nothing here is written down twice and forgotten. */

import { type ChildProcess, spawn } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import ts from 'typescript';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { faults, propertiesOf, type Schema, type Schemas } from './schema';
import { source, sources } from './sources';

interface Operation { requestBody?: { content: Record<string, { schema: Schema }> }; responses: Record<string, { content?: Record<string, { schema: Schema }> }> }
const read = (path: string) => readFileSync(fileURLToPath(new URL(path, import.meta.url)), 'utf8');
const document = JSON.parse(read('../../../docs/ref/openapi.json')) as { paths: Record<string, Record<string, Operation>>; components: { schemas: Schemas } };
const { schemas } = document.components;

describe('the types', () => {
  const file = ts.createSourceFile('types.ts', read('../src/api/types.ts'), ts.ScriptTarget.Latest);
  const interfaces = new Map(file.statements.filter(ts.isInterfaceDeclaration).map((one) => [one.name.text, one.members.filter(ts.isPropertySignature).map((member) => (member.name as ts.Identifier).text)]));
  const lists = new Map(file.statements.filter(ts.isTypeAliasDeclaration).flatMap((one) => (ts.isUnionTypeNode(one.type) ? [[one.name.text, one.type.types.map((part) => (ts.isLiteralTypeNode(part) && ts.isStringLiteral(part.literal) ? part.literal.text : ''))] as const] : [])));
  /** Ours, and the document's; where there are two, ours is either. */
  const NAMES: Record<string, string[]> = {
    SessionUser: ['Me'], Session: ['Session'], User: ['User'], Token: ['Token'], Problem: ['Problem'], Overview: ['Overview'], Title: ['Title'], GateRow: ['GateRow'], Gate: ['Gate'], Category: ['Category'], Domain: ['Domain'],
    Account: ['Account'], AccountChange: ['AccountChange'], Signed: ['Signed'], Checked: ['Checked'], Stream: ['Stream', 'Detail'], Second: ['Second'], Forbidden: ['Forbidden'], Publication: ['Publication'], Viewer: ['Viewer'],
    Delivery: ['Callback'], Point: ['Point'], Audit: ['Entry'],
  };
  /** Interfaces that extend another. */
  const BASES: Record<string, string> = { User: 'SessionUser' };

  test('are all compared', () => expect([...interfaces.keys()].filter((name) => !(name in NAMES))).toEqual([]));

  test.each(Object.entries(NAMES))('%s', (name, theirs) => {
    const ours = [...(interfaces.get(name) ?? []), ...(BASES[name] ? interfaces.get(BASES[name])! : [])];
    const known = new Set(theirs.flatMap((one) => Object.keys(propertiesOf(schemas[one]!, schemas)!.properties)));
    expect(ours.filter((field) => !known.has(field))).toEqual([]);
    // A change has what can change of an account, and two that are of changes: the pages need not know them all.
    if (name !== 'AccountChange') expect([...known].filter((field) => !ours.includes(field))).toEqual([]);
  });

  test.each([['Role', 'Role'], ['Subject', 'SubjectType'], ['Action', 'Action'], ['Rule', 'ListRule'], ['Schemes', 'Schemes'], ['Scheme', 'SchemeName'], ['DeliveryState', 'DeliveryState']])('%s has the same values', (ours, theirs) => {
    expect([...lists.get(ours)!].sort()).toEqual([...(schemas[theirs]!.enum as string[])].sort());
  });
});

describe('the forms and the mock speak of fields and codes that the server has', () => {
  const api = [...sources('crates/console/src/api'), 'crates/console/src/register.rs', 'crates/console/src/policy.rs'].map(source).join('\n');
  const fields = new Set([...api.matchAll(/(?:ApiError::bad|BadField::new|check_url|\.at)\(\s*"([a-z_]+)"/g), ...api.matchAll(/E::\w+[^=>]*=> "([a-z_]+)"/g), ...api.matchAll(/, "(live_pusher|live_player)"\)/g)].map((found) => found[1]!));
  const mock = read('../mock/server.mjs');

  test('each field of a form that shows what is wrong with it', () => {
    const pages = readdirSync(fileURLToPath(new URL('../src', import.meta.url)), { recursive: true, encoding: 'utf8' }).filter((name) => name.endsWith('.vue'));
    const named = pages.flatMap((page) => [...read(`../src/${page.replaceAll('\\', '/')}`).matchAll(/<Field\b[^>]*?:error="[^"]*"[^>]*? name="([^"]+)"/g)].map((found) => ({ page, field: found[1]! })));
    expect(named.length).toBeGreaterThan(30);
    expect(named.filter(({ field }) => !fields.has(field))).toEqual([]);
  });

  test('each field that the mock finds wrong', () => {
    const named = [...mock.matchAll(/wrong\('([a-z_.]+)'/g)].map((found) => found[1]!);
    expect(named.length).toBeGreaterThan(10);
    expect(named.filter((field) => !fields.has(field))).toEqual([]);
  });

  test('each code that the mock refuses with', () => {
    const codes = [...sources('crates/console/src/api'), 'crates/console/src/api.rs'].map(source).join('\n') + source('crates/access/src/reason.rs');
    const named = [...mock.matchAll(/new Refusal\((\d+), '([a-z-]+)'/g)].map((found) => found[2]!).filter((code) => code !== 'mock');
    expect(named.length).toBeGreaterThan(5);
    expect(named.filter((code) => !codes.includes(`"${code}"`))).toEqual([]);
  });
});

describe('the mock', () => {
  let mock: ChildProcess;
  let base = '';
  let token = '';
  let cookie = '';

  beforeAll(async () => {
    mock = spawn(process.execPath, [fileURLToPath(new URL('../mock/server.mjs', import.meta.url)), '0'], { stdio: ['ignore', 'pipe', 'inherit'] });
    const line = await new Promise<string>((resolve) => { mock.stdout!.once('data', (data) => resolve(String(data))); });
    const url = new URL(line.trim());
    [base, token] = [url.origin, /token=(.+)/.exec(url.hash)![1]!];
  });
  afterAll(() => { mock.kill(); });

  /** Asks, and compares what is asked and what is answered with the document. */
  async function ask(method: string, path: string, body?: object, like = path.split('?')[0]!): Promise<any> {
    const operation = document.paths[`/api/v1${like}`]?.[method.toLowerCase()];
    expect(operation, `${method} ${like} is in the document`).toBeDefined();
    const wanted = operation!.requestBody?.content['application/json']?.schema;
    if (wanted) expect(faults(body ?? {}, wanted, schemas, 'request'), `${method} ${path}`).toEqual([]);
    const answer = await fetch(`${base}/api/v1${path}`, { method, headers: { 'Content-Type': 'application/json', cookie }, ...(method === 'GET' ? {} : { body: JSON.stringify(body ?? {}) }) });
    cookie = answer.headers.get('set-cookie')?.split(';')[0] ?? cookie;
    const text = await answer.text();
    const value = text ? JSON.parse(text) : {};
    const isWell = answer.ok;
    const schema = isWell ? Object.entries(operation!.responses).find(([status]) => status.startsWith('2'))?.[1].content?.['application/json']?.schema : schemas['Refusal'];
    if (schema) expect(faults(value, schema, schemas, isWell ? 'answer' : 'refusal'), `${method} ${path}`).toEqual([]);
    return value;
  }

  test('answers as the document says', async () => {
    await ask('GET', '/setup');
    expect((await ask('POST', '/setup', { token: 'x', login: 'anna', password: 'quiet-river-7-stones' })).error).toBe('forbidden');
    await ask('POST', '/setup', { token, login: 'anna', password: 'quiet-river-7-stones' });
    await ask('GET', '/session');
    await ask('PUT', '/session/password', { old: 'quiet-river-7-stones', new: 'quiet-river-8-stones' });
    await ask('POST', '/session', { login: 'anna', password: 'quiet-river-8-stones' });
    await ask('GET', '/overview');
    const gate = await ask('GET', '/gate');
    await ask('PUT', '/gate', { mode: 'enforce', rows: gate.rows });
    await ask('PUT', '/gate', { mode: 'enforce', preset: gate.presets[0].name });
    await ask('POST', '/users', { login: 'otto', password: 'quiet-river-9-stones', role: 'operator', account: null });
    await ask('PATCH', '/users/otto', { role: 'read-only' }, '/users/{login}');
    await ask('GET', '/users');
    await ask('DELETE', '/users/otto', undefined, '/users/{login}');
    const made = await ask('POST', '/tokens', { name: 'walk', role: 'read-only', account: null });
    await ask('GET', '/tokens');
    await ask('DELETE', `/tokens/${made.id}`, undefined, '/tokens/{id}');
  });

  test('has accounts, domains and URLs as the document says', async () => {
    await ask('GET', '/accounts?page_size=2');
    const one = '/accounts/{bizid}';
    const account = await ask('POST', '/accounts', { bizid: '77', name: 'Lake', subject: 'enterprise', category: { main: 'education', sub: 'online-education' }, service: true });
    await ask('PATCH', '/accounts/77', { version: account.version, live_pusher: true, live_player: true }, one);
    expect((await ask('PATCH', '/accounts/77', { version: 1, name: 'x' }, one)).error).toBe('conflict');
    expect((await ask('PATCH', '/accounts/52077', { live_pusher: true }, one)).error).toBe('not-eligible');
    expect((await ask('PATCH', '/accounts/77', { addresses: { rule: 'only', networks: ['x'] } }, one)).field).toBe('addresses');
    expect((await ask('PATCH', '/accounts/77', { callback: { url: 'ftp://x' } }, one)).field).toBe('callback');
    await ask('GET', '/accounts/77', undefined, one);
    await ask('POST', '/accounts/77/api-key/reveal', undefined, `${one}/api-key/reveal`);
    await ask('POST', '/accounts/77/api-key/rotate', undefined, `${one}/api-key/rotate`);
    await ask('POST', '/accounts/77/revoke', { stream: 'live/room' }, `${one}/revoke`);
    await ask('POST', '/accounts/77/revoke', { before: null, undo: true, stream: 'live/room' }, `${one}/revoke`);
    const domain = `${one}/domains/{number}`;
    await ask('POST', '/accounts/77/domains', { action: 'push', host: 'push.lake.example.com', auth: true, validity_s: 0, schemes: 'any' }, `${one}/domains`);
    await ask('PATCH', '/accounts/77/domains/3', { host: 'in.lake.example.com' }, domain);
    await ask('POST', '/accounts/77/domains/3/rotate', { keep_backup: true }, `${domain}/rotate`);
    await ask('POST', '/accounts/77/domains/3/reveal', undefined, `${domain}/reveal`);
    await ask('DELETE', '/accounts/77/domains/3/backup', undefined, `${domain}/backup`);
    await ask('DELETE', '/accounts/77/domains/3', undefined, domain);
    const signed = await ask('POST', '/sign', { account: '1', app: 'live', name: 'room', valid_s: 60, scheme: 'md5' });
    await ask('POST', '/check-url', { url: signed.push.rtmp });
    await ask('POST', '/check-url', { url: 'rtmp://x/live/room', action: 'push' });
    await ask('DELETE', '/accounts/77', undefined, one);
  });

  test('has streams and records as the document says', async () => {
    const { streams } = await ask('GET', '/streams?live=true');
    const { account, app, name } = streams[0];
    const [path, like] = [`/streams/${account}/${encodeURIComponent(app)}/${name}`, '/streams/{account}/{app}/{name}'];
    await ask('GET', path, undefined, like);
    await ask('POST', `${path}/forbid`, { until: Math.floor(Date.now() / 1000) + 3600, reason: 'x' }, `${like}/forbid`);
    await ask('GET', '/forbidden');
    await ask('POST', `${path}/resume`, undefined, `${like}/resume`);
    await ask('POST', `${path}/drop`, undefined, `${like}/drop`);
    await ask('GET', `${path}/history`, undefined, `${like}/history`);
    await ask('GET', '/history?page_size=30');
    const { viewers } = await ask('GET', '/viewers');
    await ask('POST', `/viewers/${viewers[0].id}/kick`, { for: 60 }, '/viewers/{id}/kick');
    const { callbacks } = await ask('GET', '/callbacks');
    await ask('GET', `/callbacks/${callbacks[0].id}`, undefined, '/callbacks/{id}');
    const failed = (await ask('GET', '/callbacks?state=failed')).callbacks[0];
    await ask('POST', `/callbacks/${failed.id}/retry`, undefined, '/callbacks/{id}/retry');
    await ask('GET', '/statistics');
    await ask('GET', '/audit');
    await ask('DELETE', '/session');
  });
});
