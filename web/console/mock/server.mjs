/**
 * The API of docs/ref/api.md in memory, with moving numbers: to work on the pages without the server, and for
 * the walk. `node mock/server.mjs [PORT]`; the pages are at /console/. It prints its setup token.
 */

import { createHash, createHmac, randomBytes } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import { extname, join, normalize } from 'node:path';
import { fileURLToPath } from 'node:url';

const PAGES = process.env.PAGES ?? fileURLToPath(new URL('../../../crates/console/assets/console/', import.meta.url));
const POLICY =
  "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; connect-src 'self' http: ws: https: wss:; " +
  "media-src blob: http: https:; font-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";
const TYPES = { '.html': 'text/html; charset=utf-8', '.js': 'text/javascript', '.css': 'text/css', '.svg': 'image/svg+xml', '.woff2': 'font/woff2' };

const now = () => Math.floor(Date.now() / 1000);
const began = Date.now() - 3 * 86400e3;

class Refusal extends Error {
  constructor(status, error, message, more = {}) {
    super(message);
    Object.assign(this, { status, body: { error, message, ...more } });
  }
}
const wrong = (field, message) => new Refusal(400, 'bad-request', message, { field });
const none = (what) => new Refusal(404, 'not-found', `there is no such ${what}`);

const title = (en, zh) => ({ en, zh });
const subs = (list) => list.map(([id, en, zh]) => ({ id, title: title(en, zh) }));
const SEED = [
  { main: 'social', title: title('Social', '社交'), subs: subs([['live', 'Live', '直播']]), subjects: ['individual', 'enterprise'] },
  { main: 'education', title: title('Education', '教育'), subs: subs([['online-education', 'Online education', '在线教育']]), subjects: ['individual', 'enterprise'] },
  { main: 'medical', title: title('Medical', '医疗'), subs: subs([['internet-hospital', 'Internet hospital', '互联网医院'], ['public-hospital', 'Public hospital', '公立医院']]), subjects: ['individual', 'enterprise'] },
  { main: 'government', title: title('Government and civil service', '政务民生'), subs: [], subjects: ['individual', 'enterprise', 'government'] },
  { main: 'finance', title: title('Finance', '金融'), subs: subs([['funds', 'Funds', '基金'], ['trust', 'Trust', '信托'], ['insurance', 'Insurance', '保险'], ['bank', 'Bank', '银行'], ['securities-futures', 'Securities and futures', '证券/期货'], ['micro-loans', 'Micro-loans of non-financial bodies', '非金融机构自营小额贷款'], ['credit-reporting', 'Credit reporting', '征信业务'], ['consumer-finance', 'Consumer finance', '消费金融']]), subjects: ['individual', 'enterprise'] },
];
const LATER = [
  ...SEED.map((row) => ({ ...row, subjects: row.subjects.filter((s) => s !== 'individual') })),
  { main: 'tools', title: title('Tools', '工具'), subs: subs([['video-service', 'One-to-one video customer service', '视频客服']]), subjects: ['enterprise'] },
  { main: 'car', title: title('Car', '汽车'), subs: subs([['pre-sale', 'Pre-sale', '汽车预售服务']]), subjects: ['enterprise'] },
];

const state = {
  users: [], tokens: [], sessions: new Map(), audit: [], ids: 0,
  setupToken: process.env.MOCK_TOKEN ?? randomBytes(9).toString('base64url'),
  gate: { mode: 'enforce', preset: 'wechat-2018', presets: [{ name: 'wechat-2018', title: title('WeChat, 2018', '微信 2018'), rows: SEED }, { name: 'wechat-2020', title: title('WeChat, 2020', '微信 2020'), rows: LATER }], rows: SEED },
  accounts: new Map(), forbidden: new Map(), kicked: new Set(), dropped: new Map(),
  storeDown: false,
};

const key = () => randomBytes(16).toString('hex');
function makeDomain(number, action, host, more = {}) {
  return { number, action, host, main: key(), backup: null, auth: action === 'push', validity_s: 0, schemes: 'any', rotated: now() - 86400 * 12, ...more };
}
function makeAccount(of) {
  return {
    is_default: false, subject: 'enterprise', category: { main: '', sub: null }, service: false, live_pusher: false, live_player: false, profile: 'strict', udp: true, udp_viewers_max: 10, old_api: false,
    addresses: { rule: 'off', networks: [] }, referers: { rule: 'off', allow_empty: true, patterns: [] }, callback: { url: null, anomalies: false, key: '' }, remote: { url: null, push: false, play: false, play_if_unreachable: false },
    revoked_before: null, revoked_streams: {}, domains: [makeDomain(1, 'push', null), makeDomain(2, 'play', null)], api_key: key(), created: now(), version: 1, ...of,
  };
}
for (const account of [
  makeAccount({ bizid: '1', name: 'Riverside School', is_default: true, category: { main: 'education', sub: 'online-education' }, service: true, live_pusher: true, live_player: true, created: now() - 86400 * 40 }),
  makeAccount({ bizid: '3891', name: '清流医院 Clearwater Clinic', category: { main: 'medical', sub: 'public-hospital' }, service: true, live_pusher: true, live_player: true, created: now() - 86400 * 20, domains: [makeDomain(1, 'push', 'push.clinic.example.com', { backup: key() }), makeDomain(2, 'play', 'live.clinic.example.com', { auth: true, validity_s: 300 })], callback: { url: 'https://clinic.example.com/live/events', anomalies: true, key: 'k' }, revoked_streams: { 'live/old-room': now() - 86400 } }),
  makeAccount({ bizid: '52077', name: 'Handy Tools Ltd.', category: { main: 'tools', sub: 'video-service' }, created: now() - 86400 * 3 }),
]) state.accounts.set(account.bizid, account);

const notAdmitted = (category) => `category ${category.main}${category.sub ? `/${category.sub}` : ''} may not use live-pusher and live-player; these may: ${state.gate.rows.map((r) => r.main).join(', ')}. Change the account's category if it is wrong, or the gate's table`;
const admits = (subject, category, gate = state.gate) => gate.mode === 'off' || gate.rows.some((r) => r.main === category.main && r.subjects.includes(subject) && (!r.subs.length || r.subs.some((s) => s.id === category.sub)));
function shown(a) {
  const { api_key, callback, domains, ...rest } = a;
  const admitted = admits(a.subject, a.category);
  return {
    ...rest,
    eligible: admitted ? { admitted } : { admitted, message: notAdmitted(a.category) },
    callback: { url: callback.url, anomalies: callback.anomalies, has_key: callback.key !== '' },
    domains: domains.map(({ main, backup, ...d }) => ({ ...d, main_hint: main.slice(0, 4), has_backup: backup !== null })),
  };
}

/* What is live. Numbers are made of the time, so that they move without being kept. */
const wave = (at, period, low, high, phase = 0) => low + ((Math.sin((at / period) * Math.PI * 2 + phase) + 1) / 2) * (high - low);
const STREAMS = [
  { account: '1', app: 'live', name: 'lesson-3b', agent: 'FMLE/3.0 (compatible; Lavf60.16)', size: [1280, 720], rate: 1.6e6, crowd: 46, began: 5400 },
  { account: '1', app: 'live', name: 'hall', agent: 'obs-output module (libobs version 30.2)', size: [1920, 1080], rate: 4.2e6, crowd: 138, began: 940 },
  { account: '1', app: 'live', name: 'teacher-room', agent: 'LiteAV', size: [368, 640], rate: 5.2e5, crowd: 3, began: 260 },
  { account: '3891', app: 'live', name: '3891_ward_7', agent: 'LiteAV', size: [544, 960], rate: 9e5, crowd: 2, began: 1810 },
  { account: '3891', app: 'lesson/a', name: 'surgery', agent: 'obs-output module (libobs version 30.2)', size: [1920, 1080], rate: 5.8e6, crowd: 21, began: 7300 },
  { account: '1', app: 'live', name: 'assembly', agent: null, ended: true },
];
const keyOf = (s) => `${s.account}/${s.app}/${s.name}`;
const spread = (n) => ({ 'http-flv': Math.round(n * 0.62), rtmp: Math.round(n * 0.12), 'ws-flv': Math.round(n * 0.2), 'rtmp-udp': Math.min(10, Math.round(n * 0.06) + 1) });
const isLive = (s) => !s.ended && !state.forbidden.has(keyOf(s)) && (state.dropped.get(keyOf(s)) ?? 0) < Date.now();
const crowdOf = (s, at = now()) => Math.max(1, Math.round(wave(at, 240, s.crowd * 0.7, s.crowd, s.crowd)));
const rateOf = (s, at) => s.rate * wave(at, 37, 0.86, 1.1, s.rate % 7) * wave(at, 5, 0.97, 1.03);
function streamOf(s, whole) {
  const live = isLive(s);
  const at = now();
  const age = live ? s.began + Math.floor((Date.now() - started) / 1000) : 0;
  const viewers = live ? spread(crowdOf(s)) : { 'http-flv': 0, rtmp: 0, 'ws-flv': 0, 'rtmp-udp': 0 };
  const bytesIn = live ? Math.round((s.rate / 8) * age) : 0;
  const out = {
    account: s.account, app: s.app, name: s.name, live,
    publisher: live ? { address: '198.51.100.23:51022', agent: s.agent, epoch: 12, uptime_s: age, silent_ms: Math.round(wave(at, 3, 3, 38)) } : null,
    video: live ? { codec: 'h264', profile: 'High', level: 3.1, width: s.size[0], height: s.size[1], fps: 25 - (at % 3) * 0.02, bits_per_s: Math.round(rateOf(s, at)), gop_ms: 2000 } : null,
    audio: live ? { codec: 'aac', profile: 'LC', sample_rate: 48000, channels: 2, bits_per_s: 96400 } : null,
    viewers, bytes_in: bytesIn, bytes_out: Object.fromEntries(Object.entries(viewers).map(([p, n]) => [p, bytesIn * n])), jumps: live ? 4 : 0, frames_skipped: live ? 311 : 0, log: { bytes: live ? 2.1e6 : 0, frames: live ? 402 : 0, ms: live ? 8120 : 0 },
  };
  if (whole) {
    out.forbidden = state.forbidden.get(keyOf(s)) ?? null;
    const many = live ? Math.min(300, age) : 0;
    out.seconds = Array.from({ length: many }, (_, i) => {
      const t = at - many + 1 + i;
      const late = t % 83 === 0;
      return { at: t, video_bits: late ? 2e5 : Math.round(rateOf(s, t)), audio_bits: 94000 + (t % 9) * 500, fps: late ? 8 : 25, gap_ms: late ? 420 : Math.round(wave(t, 11, 40, 58)), viewers: crowdOf(s, t) };
    });
  }
  return out;
}
const started = Date.now();
const totals = { at: Date.now(), in: 4.2e9, out: 1.9e11 };
function overview() {
  const live = STREAMS.filter(isLive);
  const at = now();
  const span = (Date.now() - totals.at) / 1000;
  totals.at = Date.now();
  const viewers = { rtmp: 0, 'http-flv': 0, 'ws-flv': 0, 'rtmp-udp': 0 };
  for (const s of live) {
    const mine = spread(crowdOf(s));
    const rate = rateOf(s, at) / 8;
    totals.in += rate * span;
    for (const [p, n] of Object.entries(mine)) { viewers[p] += n; totals.out += rate * n * span; }
  }
  const problems = [{ code: 'callbacks-failing', message: '10 were given up, the last one of account 3891', since: now() - 720 }];
  if (state.storeDown) problems.unshift({ code: 'store', message: 'statistics: the store does not work: disk full', since: now() - 30 });
  return { streams: live.length, publishers: live.length, viewers, bytes_in: Math.round(totals.in), bytes_out: Math.round(totals.out), accounts: state.accounts.size, forbidden: state.forbidden.size, uptime_s: Math.floor((Date.now() - began) / 1000), version: '0.1.0', problems };
}
function viewersOf(s) {
  if (!isLive(s)) return [];
  const protocols = Object.entries(spread(crowdOf(s))).flatMap(([p, n]) => Array(n).fill(p));
  return protocols.map((protocol, i) => ({ id: STREAMS.indexOf(s) * 1000 + i, account: s.account, app: s.app, name: s.name, peer: `203.0.113.${(i * 7) % 250}:${40000 + i}`, agent: protocol === 'rtmp-udp' ? 'thalweg/0.1' : protocol === 'rtmp' ? 'LNX 9,0,124,2' : 'Mozilla/5.0 (iPhone; CPU iPhone OS 17_5 like Mac OS X) MicroMessenger/8.0.50', protocol, since: now() - 30 - i * 11, bytes: 1.4e6 * (30 + i * 11) })).filter((v) => !state.kicked.has(String(v.id)));
}
const publications = Array.from({ length: 130 }, (_, i) => {
  const s = STREAMS[i % STREAMS.length];
  const start = now() - 600 - i * 5400;
  const goesOn = i < STREAMS.length - 1;
  const code = i % 9 === 5 ? 3 : 1;
  return { sequence: String(7300000 - i), account: s.account, app: s.app, name: s.name, peer: '198.51.100.23', agent: s.agent ?? 'LiteAV', protocol: 'rtmp', began: start, ended: goesOn ? null : start + 2400, errcode: goesOn ? null : code, cause: goesOn ? null : code === 3 ? 'the publisher closed the connection' : 'the publisher deleted its stream', bytes_in: goesOn ? null : 4.1e8, params: 'bizid=1&txTime=6A3B11C0' };
});
const deliveries = Array.from({ length: 74 }, (_, i) => {
  const failed = i % 7 === 2;
  return { id: 900 - i, account: i % 3 ? '1' : '3891', event: i % 11 === 4 ? 321 : i % 2, stream: i % 3 ? 'live/lesson-3b' : 'live/3891_ward_7', state: i === 0 ? 'pending' : failed ? 'failed' : 'delivered', tries: failed ? 4 : 1, due: now() - i * 600, outcome: i === 0 ? '' : failed ? 'answered 502 instead of 200' : 'answered 200', made: now() - i * 600 - 3 };
});

function log(req, what, account, detail = '') {
  state.audit.unshift({ id: ++state.ids, at: now(), who: req.user ? `user:${req.user.login}` : 'system', peer: '127.0.0.1', account: account ?? null, what, detail });
}
function page(list, q, name) {
  const size = Math.min(300, Math.max(1, Number(q.get('page_size')) || 50));
  const at = Math.max(1, Number(q.get('page')) || 1) - 1;
  return { [name]: list.slice(at * size, at * size + size), total: list.length };
}
const RANK = { 'read-only': 0, operator: 1, admin: 2 };
function need(req, role) {
  if (RANK[req.user.role] < RANK[role]) throw new Refusal(403, 'forbidden', `that takes the role ${role}`);
}
function accountOf(id) {
  return state.accounts.get(id) ?? (() => { throw none('account'); })();
}
const streamOfPath = (m) => STREAMS.find((s) => s.account === m[0] && s.app === m[1] && s.name === m[2]) ?? { account: m[0], app: m[1], name: m[2], ended: true };

function change(a, body) {
  const next = { ...a };
  for (const field of ['name', 'subject', 'category', 'service', 'live_pusher', 'live_player', 'profile', 'udp', 'udp_viewers_max', 'old_api', 'addresses', 'referers', 'remote']) if (field in body) next[field] = body[field];
  if (body.callback) next.callback = { ...a.callback, ...body.callback, key: body.callback.key ?? a.callback.key };
  if (!String(next.name).trim() || next.name.length > 100) throw wrong('name', '1 to 100 characters');
  if (next.callback.url && !/^https?:\/\//.test(next.callback.url)) throw wrong('callback', 'a URL to be called begins with http:// or https://');
  for (const network of next.addresses.networks) if (!/^[0-9a-f.:]+(\/\d+)?$/i.test(network)) throw wrong('addresses', `${network}: a network is an address, or one with the length of its prefix`);
  const field = ['service', 'live_pusher', 'live_player'].find((f) => body[f] === true && (!a.version || !a[f]));
  if (field && !admits(next.subject, next.category)) {
    throw new Refusal(409, 'not-eligible', notAdmitted(next.category), { field, categories: state.gate.rows.map((row) => row.main) });
  }
  next.version = a.version + 1;
  return next;
}
function sign(body) {
  const a = accountOf(String(body.account ?? ''));
  if (!/^[^/?#\s]+$/.test(body.name ?? '')) throw wrong('name', 'a stream name has a character, and no slash');
  const app = body.app || 'live';
  const push = body.only !== 'play';
  const play = body.only !== 'push';
  if (!a.service) throw new Refusal(409, 'service-closed', 'the service of this account is not opened');
  if (push && !a.live_pusher) throw new Refusal(409, 'pusher-off', 'live-pusher is off for this account');
  if (play && !a.live_player) throw new Refusal(409, 'player-off', 'live-player is off for this account');
  const expires = now() + (body.valid_s ?? 86400);
  const time = expires.toString(16).toUpperCase();
  const secret = (k) => (body.scheme === 'strong' ? null : createHash(body.scheme === 'sha256' ? 'sha256' : 'md5').update(k + body.name + time).digest('hex'));
  const query = (domain, purpose) => {
    if (body.scheme !== 'strong') return `txSecret=${secret(domain.main)}&txTime=${time}`;
    const token = `1.${createHash('sha256').update('tw1 kid\n' + domain.main).digest('hex').slice(0, 8)}.${purpose}.${expires}.n${now()}`;
    return `tw=${token}&sig=${createHmac('sha256', domain.main).update(`tw1\n${a.bizid}\n${app}\n${body.name}\n${token}`).digest('base64url')}`;
  };
  const pushDomain = a.domains.find((d) => d.action === 'push');
  const playDomain = a.domains.find((d) => d.action === 'play');
  const ph = pushDomain.host ?? 'live.example.com';
  const vh = playDomain.host ?? 'live.example.com';
  const q = query(playDomain, 'play');
  const http = process.env.MOCK_HTTP ?? `${vh}:8080`;
  return {
    account: a.bizid, app, name: body.name, expires,
    ...(push ? { push: { rtmp: `rtmp://${ph}/${app}/${body.name}?${query(pushDomain, 'push')}`, rtmps: null, ws: `ws://${ph}:8080/${app}/${body.name}.flv?${query(pushDomain, 'push')}`, wss: null, until: expires + pushDomain.validity_s, server: `rtmp://${ph}/${app}/`, key: `${body.name}?${query(pushDomain, 'push')}` } } : {}),
    ...(play ? { play: { rtmp: `rtmp://${vh}/${app}/${body.name}?${q}`, flv: `http://${http}/${app}/${body.name}.flv?${q}`, ws: `ws://${http}/${app}/${body.name}.flv?${q}`, rtc: `rtmp://${vh}/${app}/${body.name}?${body.scheme === 'strong' ? query(playDomain, 'udp') : `bizid=${a.bizid}&${q}`}`, rtmps: null, https_flv: null, wss: null, must_sign: playDomain.auth } } : {}),
    notes: playDomain.auth ? [] : ["to watch, this account's play domain asks for no signature"],
  };
}
function check(body) {
  const text = String(body.url ?? '');
  if (!/^(rtmps?|https?|wss?):\/\//.test(text)) throw wrong('url', 'the URL should begin with rtmp://, http:// or ws://, or these with an s: rtmps://');
  const url = new URL(text.replace(/^[a-z]+:/, 'http:'));
  const found = [{ rule: 'account', verdict: 'ok', words: `host ${url.hostname} is not a known domain, so it counts as account 1` }, { rule: 'signature', verdict: 'ok', words: 'a signature is compulsory for a push here' }];
  const time = url.searchParams.get('txTime');
  const secret = url.searchParams.get('txSecret');
  if (!time || !secret) return { accepted: false, action: 'push', reason: 'auth-missing', message: 'the URL is not signed: it needs txSecret and txTime, or tw and sig', findings: [...found, { rule: 'signature', verdict: 'wrong', words: 'there is no txSecret, nor a tw' }] };
  const at = parseInt(time, 16);
  const name = url.pathname.split('/').pop().replace(/\.flv$/, '');
  const good = [...state.accounts.values()].some((a) => a.domains.some((d) => [d.main, d.backup].some((k) => k && createHash('md5').update(k + name + time).digest('hex') === secret.toLowerCase())));
  found.push(good ? { rule: 'signature', verdict: 'ok', words: 'the signature fits the push key of account 1' } : { rule: 'signature', verdict: 'wrong', words: 'the signature does not fit: another key, another stream name, or a changed character' });
  found.push(at > now() ? { rule: 'signature', verdict: 'ok', words: `txTime, hexadecimal: the URL is good for ${Math.floor((at - now()) / 3600)} hours more` } : { rule: 'signature', verdict: 'wrong', words: `txTime, hexadecimal: the URL expired ${now() - at} s ago` });
  const accepted = good && at > now();
  found.push(accepted ? { rule: 'outcome', verdict: 'ok', words: 'a push with this URL is allowed' } : { rule: 'outcome', verdict: 'wrong', words: `a push with this URL is refused, ${good ? 'auth-expired' : 'auth-bad'}` });
  return { accepted, action: 'push', reason: accepted ? null : good ? 'auth-expired' : 'auth-bad', message: accepted ? null : good ? 'the URL has expired: sign a new one' : 'the signature is wrong: another key, another stream name, or a changed character', findings: found };
}

const sessionOf = (u) => ({ user: { login: u.login, role: u.role, account: u.account }, version: '0.1.0', public_host: 'live.example.com' });
const strip = (u) => ({ login: u.login, role: u.role, account: u.account, created: u.created, last_login: u.last_login });
function openSession(res, user) {
  const id = randomBytes(18).toString('base64url');
  state.sessions.set(id, user.login);
  user.last_login = now();
  res.setHeader('Set-Cookie', `thalweg=${id}; Path=/; HttpOnly; SameSite=Strict`);
}
function domainOf(a, number) {
  return a.domains.find((d) => d.number === Number(number)) ?? (() => { throw none('domain'); })();
}
const touched = (a) => { a.version += 1; return shown(a); };

/** `METHOD /path/{}`: what answers it. */
const routes = [
  ['GET /setup', () => ({ needed: state.users.length === 0 }), 'open'],
  ['POST /setup', ({ body, req, res }) => {
    if (state.users.length) throw none('setup any more: log in');
    if (body.token !== state.setupToken) throw new Refusal(403, 'forbidden', 'the token is not the one the program printed', { field: 'token' });
    if (!/^[a-z0-9._-]{1,64}$/.test(body.login ?? '')) throw wrong('login', 'a login has 1 to 64 lower-case letters, digits, dots or hyphens');
    if ((body.password ?? '').length < 10) throw wrong('password', 'a password has 10 to 128 characters');
    const user = { login: body.login, password: body.password, role: 'admin', account: null, created: now(), last_login: null };
    state.users.push(user);
    openSession(res, user);
    req.user = user;
    log(req, 'setup');
    return sessionOf(user);
  }, 'open'],
  ['POST /session', ({ body, req, res }) => {
    const user = state.users.find((u) => u.login === body.login && u.password === body.password);
    if (!user) throw new Refusal(401, 'wrong-password', 'login or password is wrong');
    openSession(res, user);
    req.user = user;
    log(req, 'session.begin');
    return sessionOf(user);
  }, 'open'],
  ['GET /session', ({ req }) => sessionOf(req.user)],
  ['DELETE /session', ({ req }) => { state.sessions.delete(req.session); }],
  ['PUT /session/password', ({ body, req }) => {
    if (body.old !== req.user.password) throw wrong('old', 'this is not the password');
    if ((body.new ?? '').length < 10) throw wrong('password', 'a password has 10 to 128 characters');
    req.user.password = body.new;
  }],
  ['GET /users', ({ req }) => { need(req, 'admin'); return { users: state.users.map(strip) }; }],
  ['POST /users', ({ body, req }) => {
    need(req, 'admin');
    if (state.users.some((u) => u.login === body.login)) throw new Refusal(409, 'conflict', `there is a user ${body.login} already`);
    if ((body.password ?? '').length < 10) throw wrong('password', 'a password has 10 to 128 characters');
    const user = { login: body.login, password: body.password, role: body.role, account: body.account ?? null, created: now(), last_login: null };
    state.users.push(user);
    log(req, 'user.add', null, body.login);
    return strip(user);
  }],
  ['PATCH /users/{}', ({ body, m, req }) => {
    need(req, 'admin');
    const user = state.users.find((u) => u.login === m[0]);
    if (!user) throw none('user');
    if (user.role === 'admin' && body.role && body.role !== 'admin' && state.users.filter((u) => u.role === 'admin').length === 1) throw new Refusal(409, 'conflict', 'this is the last administrator: make another one first');
    Object.assign(user, body);
    return strip(user);
  }],
  ['DELETE /users/{}', ({ m, req }) => { need(req, 'admin'); state.users = state.users.filter((u) => u.login !== m[0]); }],
  ['GET /tokens', ({ req }) => { need(req, 'admin'); return { tokens: state.tokens }; }],
  ['POST /tokens', ({ body, req }) => {
    need(req, 'admin');
    const token = { id: ++state.ids, name: body.name, role: body.role, account: body.account ?? null, created: now(), expires: body.expires ?? null, last_used: null };
    state.tokens.push(token);
    return { id: token.id, token: 'tw_' + randomBytes(24).toString('base64url') };
  }],
  ['DELETE /tokens/{}', ({ m, req }) => { need(req, 'admin'); state.tokens = state.tokens.filter((k) => k.id !== Number(m[0])); }],
  ['GET /overview', overview],
  ['GET /gate', () => state.gate],
  ['PUT /gate', ({ body, req }) => {
    need(req, 'admin');
    state.gate.mode = body.mode;
    if (body.preset) Object.assign(state.gate, { preset: body.preset, rows: state.gate.presets.find((p) => p.name === body.preset).rows });
    else if (body.rows) Object.assign(state.gate, { preset: null, rows: body.rows });
    log(req, 'gate.set', null, `${body.mode}, ${body.preset ?? 'own rows'}`);
    return state.gate;
  }],
  ['GET /accounts', ({ q, req }) => {
    const words = (q.get('query') ?? '').toLowerCase();
    return page([...state.accounts.values()].filter((a) => (!req.user.account || a.bizid === req.user.account) && (a.bizid.includes(words) || a.name.toLowerCase().includes(words))).map(shown), q, 'accounts');
  }],
  ['POST /accounts', ({ body, req }) => {
    need(req, 'operator');
    if (!/^\d{1,20}$/.test(body.bizid ?? '')) throw wrong('bizid', `bizid ${JSON.stringify(body.bizid ?? '')} must be 1 to 20 digits`);
    if (state.accounts.has(body.bizid)) throw wrong('bizid', `there is an account ${body.bizid} already`);
    const { bizid, ...rest } = body;
    const made = change(makeAccount({ bizid, name: '', version: 0 }), rest);
    state.accounts.set(bizid, made);
    log(req, 'account.add', bizid, made.name);
    return shown(made);
  }],
  ['GET /accounts/{}', ({ m }) => shown(accountOf(m[0]))],
  ['PATCH /accounts/{}', ({ body, m, req }) => {
    need(req, 'operator');
    const a = accountOf(m[0]);
    if (body.version !== undefined && body.version !== a.version) throw new Refusal(409, 'conflict', 'it has been changed meanwhile: read it again');
    const { version: _version, cut: _cut, ...rest } = body;
    state.accounts.set(a.bizid, change(a, rest));
    log(req, 'account.change', a.bizid, Object.entries(body).filter(([f]) => f !== 'version').map(([f, v]) => (typeof v === 'object' ? f : `${f}=${v}`)).join(' '));
    return shown(state.accounts.get(a.bizid));
  }],
  ['DELETE /accounts/{}', ({ m, req }) => { need(req, 'admin'); state.accounts.delete(accountOf(m[0]).bizid); log(req, 'account.remove', m[0]); }],
  ['POST /accounts/{}/api-key/reveal', ({ m, req }) => { need(req, 'operator'); log(req, 'api-key.reveal', m[0]); return { api_key: accountOf(m[0]).api_key }; }],
  ['POST /accounts/{}/api-key/rotate', ({ m, req }) => { need(req, 'operator'); log(req, 'api-key.rotate', m[0]); const a = accountOf(m[0]); a.api_key = key(); return { api_key: a.api_key }; }],
  ['POST /accounts/{}/revoke', ({ body, m, req }) => {
    need(req, 'operator');
    const a = accountOf(m[0]);
    if (body.stream) { if (body.undo) delete a.revoked_streams[body.stream]; else a.revoked_streams[body.stream] = body.before ?? now(); } else a.revoked_before = body.undo ? null : (body.before ?? now());
    log(req, 'urls.revoke', a.bizid, body.stream ?? 'all');
    return touched(a);
  }],
  ['POST /accounts/{}/domains', ({ body, m, req }) => {
    need(req, 'operator');
    const a = accountOf(m[0]);
    if (!body.host && a.domains.some((d) => d.action === body.action && d.host === null)) throw wrong('host', 'there is such a domain already');
    a.domains.push(makeDomain(Math.max(...a.domains.map((d) => d.number)) + 1, body.action, body.host ?? null, { auth: body.auth ?? true, validity_s: body.validity_s ?? 0, schemes: body.schemes ?? 'any', rotated: now(), ...(body.key ? { main: body.key } : {}) }));
    log(req, 'domain.add', a.bizid, body.host ?? '');
    return touched(a);
  }],
  ['PATCH /accounts/{}/domains/{}', ({ body, m, req }) => { need(req, 'operator'); const a = accountOf(m[0]); Object.assign(domainOf(a, m[1]), body); return touched(a); }],
  ['DELETE /accounts/{}/domains/{}', ({ m, req }) => { need(req, 'operator'); const a = accountOf(m[0]); a.domains = a.domains.filter((d) => d.number !== Number(m[1])); return touched(a); }],
  ['POST /accounts/{}/domains/{}/reveal', ({ m, req }) => { need(req, 'operator'); const d = domainOf(accountOf(m[0]), m[1]); log(req, 'domain.reveal', m[0], m[1]); return { main: d.main, backup: d.backup }; }],
  ['POST /accounts/{}/domains/{}/rotate', ({ body, m, req }) => {
    need(req, 'operator');
    const a = accountOf(m[0]);
    const d = domainOf(a, m[1]);
    if (body.key && !/^[A-Za-z0-9]+$/.test(body.key)) throw wrong('key', 'at most 128 letters and digits');
    Object.assign(d, { backup: body.keep_backup ? d.main : null, main: body.key ?? key(), rotated: now() });
    log(req, 'domain.rotate', m[0], m[1]);
    touched(a);
    return { main: d.main, backup: d.backup };
  }],
  ['DELETE /accounts/{}/domains/{}/backup', ({ m, req }) => { need(req, 'operator'); const a = accountOf(m[0]); domainOf(a, m[1]).backup = null; return touched(a); }],
  ['POST /sign', ({ body }) => sign(body)],
  ['POST /check-url', ({ body }) => check(body)],
  ['GET /streams', ({ q, req }) => {
    const account = req.user.account ?? q.get('account');
    const words = (q.get('query') ?? '').toLowerCase();
    return page(STREAMS.filter((s) => !s.ended).map((s) => streamOf(s)).filter((s) => (!account || s.account === account) && `${s.app}/${s.name}`.toLowerCase().includes(words) && (q.get('live') !== 'true' || s.live)), q, 'streams');
  }],
  ['GET /streams/{}/{}/{}', ({ m }) => { const s = streamOfPath(m); if (s.ended && !state.forbidden.has(m.join('/'))) throw none(`stream ${m[1]}/${m[2]} now`); return streamOf(s, true); }],
  ['POST /streams/{}/{}/{}/drop', ({ m, req }) => { need(req, 'operator'); state.dropped.set(m.join('/'), Date.now() + 8000); log(req, 'stream.drop', m[0], `${m[1]}/${m[2]}`); return { dropped: true }; }],
  ['POST /streams/{}/{}/{}/forbid', ({ body, m, req }) => {
    need(req, 'operator');
    const until = body.until ?? now() + 7 * 86400;
    if (!(until > now() && until <= now() + 90 * 86400)) throw wrong('until', 'a moment to come, in 90 days at most');
    state.forbidden.set(m.join('/'), { until, reason: body.reason ?? '' });
    log(req, 'stream.forbid', m[0], `${m[1]}/${m[2]}`);
    return { account: m[0], app: m[1], name: m[2], until, reason: body.reason ?? '' };
  }],
  ['POST /streams/{}/{}/{}/resume', ({ m, req }) => { need(req, 'operator'); const resumed = state.forbidden.delete(m.join('/')); log(req, 'stream.resume', m[0], `${m[1]}/${m[2]}`); return { resumed }; }],
  ['GET /streams/{}/{}/{}/history', ({ m, q }) => page(publications.filter((p) => p.account === m[0] && p.app === m[1] && p.name === m[2]), q, 'publications')],
  ['GET /forbidden', ({ q }) => ({ forbidden: [...state.forbidden].map(([k, f]) => { const [account, ...rest] = k.split('/'); return { account, app: rest.slice(0, -1).join('/'), name: rest.at(-1), ...f }; }).filter((f) => !q.get('account') || f.account === q.get('account')) })],
  ['GET /history', ({ q }) => page(publications.filter((p) => (!q.get('account') || p.account === q.get('account')) && (!q.get('from') || (p.ended ?? now()) >= Number(q.get('from')))), q, 'publications')],
  ['GET /viewers', ({ q }) => page(STREAMS.filter((s) => (!q.get('account') || s.account === q.get('account')) && (!q.get('app') || s.app === q.get('app')) && (!q.get('name') || s.name === q.get('name'))).flatMap(viewersOf), q, 'viewers')],
  ['POST /viewers/{}/kick', ({ m, body, req }) => {
    need(req, 'operator');
    if (!(body.for >= 0 && body.for <= 86400)) throw wrong('for', '0 to 86400 seconds');
    state.kicked.add(m[0]);
    log(req, 'viewer.kick', null, m[0]);
    return { peer: '203.0.113.7:40000', barred_for_s: body.for };
  }],
  ['GET /callbacks', ({ q }) => page(deliveries.filter((d) => (!q.get('account') || d.account === q.get('account')) && (!q.get('state') || d.state === q.get('state'))), q, 'callbacks')],
  ['GET /callbacks/{}', ({ m }) => { const d = deliveries.find((x) => x.id === Number(m[0])); if (!d) throw none('callback'); const [appname, stream_id] = d.stream.split('/'); return { ...d, body: { event_type: d.event, appid: 1, app: 'live.example.com', appname, stream_id, channel_id: stream_id, event_time: d.made, sequence: '7300000', node: '127.0.0.1', user_ip: '198.51.100.23', errcode: 0, errmsg: 'ok', stream_param: 'bizid=1&txTime=6A3B11C0' } }; }],
  ['POST /callbacks/{}/retry', ({ m, req }) => { need(req, 'operator'); const d = deliveries.find((x) => x.id === Number(m[0])); Object.assign(d, { state: 'pending', tries: 0, due: now() }); log(req, 'callback.retry', d.account, String(d.id)); return d; }],
  ['GET /statistics', ({ q }) => {
    const to = Number(q.get('to')) || now();
    const from = Number(q.get('from')) || to - 86400;
    const step = Math.max(60, Math.ceil(Math.max(Number(q.get('step')) || 60, (to - from) / 1500) / 60) * 60);
    const points = [];
    for (let at = Math.ceil(from / step) * step; at < to; at += step) {
      const day = Math.max(0, wave(at, 86400, -30, 230, 4));
      const gap = step <= 300 && at % 86400 > 50400 && at % 86400 < 52200;
      points.push({ at, bytes_in: gap ? 0 : Math.round(day * 9e3 * step * wave(at, 4000, 0.8, 1.1)), bytes_out: gap ? 0 : Math.round(day * 2.2e5 * step * wave(at, 5000, 0.8, 1.1)), viewers_max: gap ? 0 : Math.round(day * wave(at, 3300, 0.8, 1)), streams_max: gap ? 0 : Math.ceil(day / 45), gap });
    }
    return { points, step };
  }],
  ['GET /audit', ({ q }) => page(state.audit.filter((e) => !q.get('account') || e.account === q.get('account')), q, 'entries')],
].map(([pattern, answer, open]) => {
  const [method, path] = pattern.split(' ');
  return { method, parts: path.split('/').slice(1), answer, open: open === 'open' };
});

async function bodyOf(req) {
  const chunks = [];
  for await (const chunk of req) chunks.push(chunk);
  const text = Buffer.concat(chunks).toString();
  if (!text) return {};
  try {
    return JSON.parse(text);
  } catch {
    throw new Refusal(400, 'bad-request', 'that is no JSON');
  }
}

async function api(req, res, url) {
  const path = url.pathname.slice('/api/v1/'.length).split('/').map(decodeURIComponent);
  const route = routes.find((r) => r.method === req.method && r.parts.length === path.length && r.parts.every((part, i) => part === '{}' || part === path[i]));
  if (!route) throw none('path');
  if (req.method !== 'GET' && req.headers['content-type'] !== 'application/json') throw new Refusal(403, 'foreign-site', 'a page of another site asks');
  req.session = /thalweg=([^;]+)/.exec(req.headers.cookie ?? '')?.[1];
  req.user = state.users.find((u) => u.login === state.sessions.get(req.session));
  if (!route.open && !req.user) throw new Refusal(401, 'unauthorized', 'log in, or send a token: Authorization: Bearer ...');
  const body = await bodyOf(req);
  if (state.storeDown && req.method !== 'GET') throw new Refusal(503, 'store', 'the store cannot be written');
  const m = path.filter((_, i) => route.parts[i] === '{}');
  return route.answer({ body, m, q: url.searchParams, req, res });
}

async function pages(res, url) {
  const name = normalize(url.pathname.slice('/console'.length)).replace(/^\/+/, '') || 'index.html';
  const file = await readFile(join(PAGES, name)).catch(() => null);
  if (!file) { res.writeHead(404).end(); return; }
  res.writeHead(200, { 'Content-Type': TYPES[extname(name)] ?? 'application/octet-stream', 'Content-Security-Policy': POLICY, 'X-Content-Type-Options': 'nosniff', 'Cache-Control': 'no-cache' }).end(file);
}

const server = createServer(async (req, res) => {
  const url = new URL(req.url, 'http://mock');
  if (url.pathname === '/mock/store') { state.storeDown = url.searchParams.get('down') === '1'; res.end(); return; }
  if (url.pathname === '/' || url.pathname === '/console') { res.writeHead(302, { Location: '/console/' }).end(); return; }
  if (!url.pathname.startsWith('/api/v1/')) { await pages(res, url); return; }
  let status = 200;
  let answer;
  try {
    answer = (await api(req, res, url)) ?? {};
  } catch (error) {
    if (!(error instanceof Refusal)) { console.error(error); error = new Refusal(500, 'mock', String(error)); }
    status = error.status;
    answer = error.body;
  }
  res.writeHead(status, { 'Content-Type': 'application/json', 'Cache-Control': 'no-store' }).end(JSON.stringify(answer));
});
server.listen(Number(process.argv[2] ?? 8081), '127.0.0.1', () => {
  const { port } = server.address();
  console.log(`http://127.0.0.1:${port}/console/#/setup?token=${state.setupToken}`);
});
