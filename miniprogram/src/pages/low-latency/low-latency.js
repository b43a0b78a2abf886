const player = require('../../behaviors/player.js');
const { worded } = require('../../behaviors/worded.js');
const device = require('../../utils/device.js');
const { CACHE_RTC } = require('../../utils/presets.js');
const server = require('../../utils/server.js');
const { playProblem } = require('../../utils/urls.js');
const { explain } = require('../../utils/words.js');

/** Milliseconds between two readings of the phone's clock: a tenth is what one can compare by eye. */
const CLOCK_STEP = 100;
/** Live mode's least. */
const CACHE_LIVE = { min: 1, max: 1 };

Component({
  behaviors: [worded('lowLatency'), player],
  data: {
    url: '',
    src: '',
    mode: /** @type {'RTC' | 'live'} */ ('RTC'),
    cache: CACHE_RTC,
    asking: false,
    notice: '',
    here: '',
    timer: 0,
    fit: 'contain',
  },
  lifetimes: {
    detached() {
      this.stopClock();
    },
  },
  methods: {
    onReady() {
      return this.askClock();
    },
    onShow() {
      this.startClock();
    },
    onHide() {
      this.stopClock();
    },
    async askClock() {
      if (this.data.asking) return;
      this.setData({ asking: true, notice: '' });
      const answer = await server.clockUrl();
      this.setData({ asking: false });
      if ('problem' in answer) return this.setData({ notice: explain(answer) });
      this.setData({ url: answer.url }, () => this.start());
    },
    onUrl(/** @type {WechatMiniprogram.TextareaInput} */ event) {
      this.setData({ url: event.detail.value.trim(), notice: '' });
    },
    async scan() {
      const { text, problem } = await device.scan();
      if (problem) return this.setData({ notice: explain({ problem }) });
      if (text) this.setData({ url: text }, () => this.start());
    },
    toggle() {
      if (this.data.playOn) this.endPlay();
      else this.start();
    },
    start() {
      const { url, mode } = this.data;
      const problem = playProblem(url, mode);
      this.setData({ notice: problem && explain({ problem }) });
      if (!problem) this.beginPlay({ src: url, cache: mode === 'RTC' ? CACHE_RTC : CACHE_LIVE });
    },
    /** The same URL the other way: RTC mode, or live mode with the smallest cache it has. */
    changeMode() {
      this.setData({ mode: this.data.mode === 'RTC' ? 'live' : 'RTC' }, () => this.start());
    },
    startClock() {
      if (this.data.timer) return;
      const tick = () => this.setData({ here: secondOfMinute(new Date()) });
      tick();
      this.data.timer = Number(setInterval(tick, CLOCK_STEP));
    },
    stopClock() {
      clearInterval(this.data.timer);
      this.data.timer = 0;
    },
  },
});

/** As the test clock shows it, to the tenth. @param {Date} now */
function secondOfMinute(now) {
  return (now.getSeconds() + Math.floor(now.getMilliseconds() / 100) / 10).toFixed(1).padStart(4, '0');
}
