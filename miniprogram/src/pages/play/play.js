const player = require('../../behaviors/player.js');
const { worded } = require('../../behaviors/worded.js');
const device = require('../../utils/device.js');
const { CACHE_BOUNDS, CACHE_DEFAULT, moveCache, STRATEGIES, strategyOf } = require('../../utils/presets.js');
const { playProblem } = require('../../utils/urls.js');
const { explain, fill } = require('../../utils/words.js');

Component({
  behaviors: [worded('play'), player],
  data: {
    url: '',
    src: '',
    notice: '',
    strategies: STRATEGIES,
    strategy: strategyOf(CACHE_DEFAULT),
    bounds: CACHE_BOUNDS,
    cache: CACHE_DEFAULT,
    minText: '',
    maxText: '',
    orientation: 'vertical',
    fit: 'contain',
  },
  lifetimes: {
    attached() {
      this.setCache(CACHE_DEFAULT);
    },
  },
  methods: {
    /** @param {{ url?: string }} query */
    onLoad({ url = '' }) {
      this.setData({ url: decodeURIComponent(url) });
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
      const { url } = this.data;
      const problem = playProblem(url, 'live');
      this.setData({ notice: problem && explain({ problem }) });
      if (!problem) this.beginPlay({ src: url });
    },
    moveMin(/** @type {WechatMiniprogram.SliderChange} */ event) {
      this.changeCache(moveCache(this.data.cache, 'min', event.detail.value));
    },
    moveMax(/** @type {WechatMiniprogram.SliderChange} */ event) {
      this.changeCache(moveCache(this.data.cache, 'max', event.detail.value));
    },
    pickStrategy(/** @type {WechatMiniprogram.TouchEvent<{}, {}, { name: string }>} */ event) {
      const strategy = STRATEGIES.find(({ name }) => name === event.currentTarget.dataset.name);
      if (strategy) this.changeCache({ min: strategy.min, max: strategy.max });
    },
    /** What plays starts again: the cache is a matter of the start. @param {{ min: number, max: number }} cache */
    changeCache(cache) {
      this.setCache(cache);
      if (this.data.playOn) this.beginPlay({ src: this.data.src });
    },
    /** @param {{ min: number, max: number }} cache */
    setCache(cache) {
      const seconds = (/** @type {number} */ n) => fill(this.data.t.seconds || '{n}', { n });
      this.setData({ cache, strategy: strategyOf(cache), minText: seconds(cache.min), maxText: seconds(cache.max) });
    },
    turn() {
      this.setData({ orientation: this.data.orientation === 'vertical' ? 'horizontal' : 'vertical' });
    },
    refit() {
      this.setData({ fit: this.data.fit === 'contain' ? 'fillCrop' : 'contain' });
    },
  },
});
