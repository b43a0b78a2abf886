const player = require('../../behaviors/player.js');
const pusher = require('../../behaviors/pusher.js');
const { worded } = require('../../behaviors/worded.js');
const device = require('../../utils/device.js');
const { picture } = require('../../utils/png.js');
const { CACHE_RTC, pushPreset } = require('../../utils/presets.js');
const { encode } = require('../../utils/qr.js');
const server = require('../../utils/server.js');
const { playProblem } = require('../../utils/urls.js');
const { explain } = require('../../utils/words.js');

Component({
  behaviors: [worded('call'), pusher, player],
  data: {
    preset: pushPreset('RTC'),
    cache: CACHE_RTC,
    asking: false,
    notice: '',
    /** My side: where I push, what the other is to watch, and that as a code. */
    url: '',
    acc: '',
    qr: '',
    /** Whether the server has had my stream, so that there is something to offer. */
    offered: false,
    /** The other's side. */
    theirs: '',
    src: '',
    theirNotice: '',
  },
  methods: {
    onShow() {
      this.resumePush();
    },
    onHide() {
      this.pausePush();
    },
    /** Mine: a URL of its own for each call, for the old one may have been shown to somebody. */
    async start() {
      if (this.data.asking || this.data.pushOn) return;
      this.setData({ asking: true, notice: '' });
      const answer = await server.newUrls();
      this.setData({ asking: false });
      if (this.data.left) return;
      if ('problem' in answer) return this.setData({ notice: explain(answer) });
      const { push, plays } = answer.urls;
      const acc = plays.find(({ name }) => name === 'acc')?.url || '';
      const rows = acc ? encode(acc) : null;
      this.setData({ url: push, acc, qr: rows ? picture(rows) : '', offered: false });
      await this.askAndPush(true);
    },
    /** The same URL again, so that the other need not scan anew. */
    again() {
      return this.askAndPush(true);
    },
    hangUp() {
      this.endPush();
      this.endPlay();
      this.setData({ url: '', acc: '', qr: '', offered: false });
    },
    /** @param {WechatMiniprogram.CustomEvent<{ code: number }>} event */
    onMyState(event) {
      this.onPushState(event);
      if (this.data.push.phase === 'pushing' && !this.data.offered) this.setData({ offered: true });
    },
    async copy() {
      if (!(await device.copy(this.data.acc))) device.toast(explain({ problem: 'copyFailed' }));
    },
    async scan() {
      // There is one camera: the scanner gets it, and the server waits for the publisher to come back.
      this.pausePush();
      const { text, problem } = await device.scan();
      this.resumePush();
      if (problem) this.setData({ theirNotice: explain({ problem }) });
      if (text) this.watch(text);
    },
    async paste() {
      const { text, problem } = await device.paste();
      if (problem) this.setData({ theirNotice: explain({ problem }) });
      else this.watch(text);
    },
    /** @param {string} url */
    watch(url) {
      const problem = playProblem(url, 'RTC');
      const notice = url && url === this.data.acc ? this.data.t.own : problem && explain({ problem });
      this.setData({ theirNotice: notice });
      if (!notice) this.beginPlay({ src: url, theirs: url });
    },
    rewatch() {
      this.watch(this.data.theirs);
    },
    unwatch() {
      this.endPlay();
    },
    onSettings() {
      this.again();
    },
  },
});
