/**
 * Each page as a picture, Chinese and light beside English and dark, with Chromium: `npm run pictures`. Tags and inputs
 * are drawn roughly as WeChat has them; what one looks at is words, order, room and colours.
 */

const { execFileSync } = require('node:child_process');
const { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } = require('node:fs');
const { tmpdir } = require('node:os');
const path = require('node:path');
const { newPhone, openPage, SRC } = require('./phone.js');

const OUT = path.resolve(__dirname, '../pictures');
const CHROMIUM = process.env.CHROMIUM ?? '/usr/bin/chromium';
/** Of a phone; a picture is half as high again, for what one scrolls to. */
const [WIDTH, HEIGHT] = [390, 844];
const ALL = HEIGHT * 1.5;

const PUSH =
  'rtmp://live.example.com/live/1_user_8f3a51c2_07be?bizid=1&txSecret=8b088861108c6993ae33107fe7a3288c&txTime=65A4D380';
const ACC = PUSH.replace('8b08', '1e4f');
const ANSWER = {
  url_push: PUSH,
  url_play_flv: 'https://live.example.com/live/1_user_8f3a51c2_07be.flv',
  url_play_rtmp: 'rtmp://live.example.com/live/1_user_8f3a51c2_07be',
  url_play_acc: ACC,
  url_rtmpacc: ACC,
};
const FIGURES = {
  videoWidth: 540,
  videoHeight: 960,
  videoFPS: 15,
  videoBitrate: 1150,
  audioBitrate: 48,
  videoCache: 620,
};

/** What is to be seen: a name, a page, how it is opened, and what happens on it. */
const SCENES = [
  ['home', 'index', {}, async () => {}],
  ['push-config', 'push-config', {}, (page) => page.tap('.new')],
  [
    'push-config-refused',
    'push-config',
    {},
    async (page, phone) => {
      const data = { message: '5 URLs a minute: the next one in 12 s' };
      phone.answers.request = async () => ({ statusCode: 429, data, header: { 'retry-after': '12' } });
      await page.tap('.new');
    },
  ],
  [
    'push',
    'push',
    { url: encodeURIComponent(PUSH), mode: 'HD' },
    async (page) => {
      await page.says('pusher', 1003, 1007, 1008, 1001, 1002);
      await page.figures('pusher', { ...FIGURES, videoCache: 0 });
    },
  ],
  [
    'push-failed',
    'push',
    { url: encodeURIComponent(PUSH) },
    async (page) => {
      await page.tap('.debug');
      await page.says('pusher', 1001, 3004, 1102, 3004, 1102, 1102, -1307);
    },
  ],
  [
    'push-denied',
    'push',
    { url: encodeURIComponent(PUSH) },
    (page) => page.fire('.tag-pusher', 'error', { errCode: 10001 }),
  ],
  [
    'play',
    'play',
    { url: encodeURIComponent(ANSWER.url_play_flv) },
    async (page) => {
      await page.tap('.toggle');
      await page.says('player', 2001, 2004);
      await page.figures('player', FIGURES);
    },
  ],
  [
    'low-latency',
    'low-latency',
    {},
    async (page) => {
      await page.says('player', -2302, 2002);
    },
  ],
  [
    'call',
    'call',
    {},
    async (page, phone) => {
      await page.tap('.start');
      await page.says('pusher', 1002);
      phone.answers.clipboard = ACC.replace('user', 'other');
      await page.tap('.paste');
      await page.says('player', -2302, 2004);
    },
  ],
  ['call-before', 'call', {}, async () => {}],
];

main().then(() => process.exit(0));

async function main() {
  const work = mkdtempSync(path.join(tmpdir(), 'thalweg-pictures-'));
  mkdirSync(OUT, { recursive: true });
  for (const [name, ...scene] of SCENES) {
    const screens = [await draw('zh_CN', false, ...scene), await draw('en', true, ...scene)];
    const frames = screens.map(
      (html) => `<iframe width="${WIDTH}" height="${ALL}" srcdoc="${escaped(html)}"></iframe>`,
    );
    const file = path.join(work, `${name}.html`);
    writeFileSync(
      file,
      `<meta charset="utf-8"><style>body{margin:0;display:flex}iframe{border:0}</style>${frames.join('')}`,
    );
    const flags = ['--headless', '--no-sandbox', '--hide-scrollbars', `--window-size=${2 * WIDTH},${ALL}`];
    const picture = path.join(OUT, `${name}.png`);
    execFileSync(CHROMIUM, [...flags, `--user-data-dir=${work}/profile`, `--screenshot=${picture}`, `file://${file}`], {
      stdio: 'ignore',
    });
    console.log(path.relative(process.cwd(), picture));
  }
  rmSync(work, { recursive: true, force: true });
}

/** One page on one phone, as HTML. */
async function draw(language, isDark, name, query, happens) {
  const phone = newPhone();
  phone.answers.language = language;
  phone.answers.request = async () => ({ statusCode: 200, data: ANSWER, header: {} });
  const page = await openPage(name, query);
  await happens(page, phone);
  const body = html(page.component.toJSON());
  page.close();
  const own = path.join(SRC, 'pages', name, `${name}.wxss`);
  const styles = [path.join(SRC, 'app.wxss'), own].map((file) => {
    try {
      return readFileSync(file, 'utf8');
    } catch {
      return '';
    }
  });
  const css = styles
    .join('\n')
    .replace(/([\d.]+)rpx/g, `calc($1 * ${WIDTH}px / 750)`)
    .replace(/100vh/g, `${HEIGHT}px`)
    .replace(/^(\s*)page \{/gm, '$1body {')
    .replace('(prefers-color-scheme: dark)', isDark ? 'all' : 'not all');
  return `<!doctype html><meta charset="utf-8"><style>${WECHAT}${css}</style><body>${body}`;
}

/** Roughly what WeChat draws by itself. */
const WECHAT = `
  * { box-sizing: content-box } body { margin: 0; font-family: system-ui, sans-serif }
  button { display: block; border: 0; font: inherit; text-align: center; width: 184px; margin: 0 auto; padding: 8px 24px; border-radius: 4px }
  button[size=mini] { width: auto }
  .text { white-space: pre-line } .scroll { overflow: hidden } .live { background: linear-gradient(150deg, #2d4a63, #0b1016) }
  .textarea { min-height: 1.4em } .textarea.empty { opacity: .5 }
`;

function html(node) {
  if (typeof node === 'string') return escaped(node);
  const attrs = Object.fromEntries(node.attrs.map(({ name, value }) => [name.toLowerCase(), value]));
  const [tag, more, inside] = DRAWN[node.tagName]?.(attrs) ?? ['div', '', ''];
  const kind = KINDS[node.tagName] ?? '';
  const classes = `${attrs.class ?? ''} ${kind} ${more.match(/^\.([\w ]+)/)?.[1] ?? ''}`;
  const rest = more.replace(/^\.[\w ]+/, '');
  return `<${tag} class="${escaped(classes)}" ${rest}>${inside}${node.children.map(html).join('')}</${tag}>`;
}

const KINDS = { 'wx-text': 'text', 'wx-scroll-view': 'scroll', 'wx-live-player': 'live', 'wx-live-pusher': 'live' };

/** By tag: an element, its attributes (or a class), and what is in it. */
const DRAWN = {
  'wx-text': () => ['span', '', ''],
  'wx-button': ({ disabled, size }) => ['button', `${disabled ? 'disabled' : ''} ${size ? `size=${size}` : ''}`, ''],
  'wx-image': ({ src }) => ['img', `src="${src}"`, ''],
  'wx-textarea': ({ value, placeholder }) => [
    'div',
    value ? '.textarea' : '.textarea empty',
    escaped(value || placeholder),
  ],
  'wx-switch': ({ checked }) => ['input', ` type="checkbox" ${checked ? 'checked' : ''}`, ''],
  'wx-slider': ({ min, max, step, value }) => [
    'input',
    ` type="range" style="width:100%" min="${min}" max="${max}" step="${step}" value="${value}"`,
    '',
  ],
};

function escaped(text) {
  return String(text).replace(/[&<>"]/g, (c) => ({ '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;' })[c]);
}
