const { worded } = require('../../behaviors/worded.js');
const device = require('../../utils/device.js');
const { once } = require('../../utils/once.js');
const { PUSH_MODES } = require('../../utils/presets.js');
const server = require('../../utils/server.js');
const { pushProblem } = require('../../utils/urls.js');
const { book, explain, fill } = require('../../utils/words.js');

/** Milliseconds: the page that Start opens takes a moment to come. */
const START_APART = 1000;
const mayStart = once(START_APART);

Component({
  behaviors: [worded('pushConfig')],
  data: {
    url: '',
    plays: /** @type {{ name: string, label: string, url: string }[]} */ ([]),
    notice: '',
    asking: false,
    modes: PUSH_MODES,
    mode: 'HD',
    rate: '',
    orientation: 'vertical',
    audioOnly: false,
  },
  lifetimes: {
    attached() {
      this.setMode(this.data.mode);
    },
  },
  methods: {
    onUrl(/** @type {WechatMiniprogram.TextareaInput} */ event) {
      this.setUrl(event.detail.value);
    },
    /** Play URLs that belong to another push URL are gone. @param {string} url */
    setUrl(url) {
      this.setData({ url: url.trim(), plays: [], notice: '' });
    },
    async askNew() {
      if (this.data.asking) return;
      this.setData({ asking: true, notice: '' });
      const answer = await server.newUrls();
      this.setData({ asking: false });
      if ('problem' in answer) return this.setData({ notice: explain(answer) });
      const { push, plays } = answer.urls;
      const labels = book().plays;
      this.setData({ url: push, plays: plays.map((play) => ({ ...play, label: labels[play.name] })) });
    },
    async scan() {
      const { text, problem } = await device.scan();
      if (text) this.setUrl(text);
      if (problem) this.setData({ notice: explain({ problem }) });
    },
    async copy(/** @type {WechatMiniprogram.TouchEvent<{}, {}, { url: string }>} */ event) {
      const copied = await device.copy(event.currentTarget.dataset.url);
      if (!copied) device.toast(explain({ problem: 'copyFailed' }));
    },
    pickMode(/** @type {WechatMiniprogram.TouchEvent<{}, {}, { mode: string }>} */ event) {
      this.setMode(event.currentTarget.dataset.mode);
    },
    /** @param {string} mode */
    setMode(mode) {
      const preset = PUSH_MODES.find((preset) => preset.mode === mode);
      this.setData({ mode, rate: preset ? fill(book().pushConfig.rate, { min: preset.min, max: preset.max }) : '' });
    },
    pickOrientation(/** @type {WechatMiniprogram.TouchEvent<{}, {}, { value: string }>} */ event) {
      this.setData({ orientation: event.currentTarget.dataset.value });
    },
    onAudioOnly(/** @type {WechatMiniprogram.SwitchChange} */ event) {
      this.setData({ audioOnly: event.detail.value });
    },
    start() {
      const { url, mode, orientation, audioOnly } = this.data;
      const problem = pushProblem(url);
      if (problem) return this.setData({ notice: explain({ problem }) });
      if (!mayStart()) return;
      const query = { url: encodeURIComponent(url), mode, orientation, audioOnly: audioOnly ? '1' : '' };
      const text = Object.entries(query).map((pair) => pair.join('='));
      wx.navigateTo({ url: `/pages/push/push?${text.join('&')}` });
    },
  },
});
