const { worded } = require('../../behaviors/worded.js');
const { HOST } = require('../../config.js');
const device = require('../../utils/device.js');
const { book, fill } = require('../../utils/words.js');

const ENTRIES = [
  { name: 'push', page: 'push-config' },
  { name: 'play', page: 'play' },
  { name: 'lowLatency', page: 'low-latency' },
  { name: 'call', page: 'call' },
];

Component({
  behaviors: [worded('home')],
  data: { entries: ENTRIES, hasTags: true, hasHost: true, server: '' },
  lifetimes: {
    attached() {
      this.setData({
        // Without the tags' permission, or in a WeChat that is too old, the function is not there.
        hasTags: typeof wx.createLivePlayerContext === 'function',
        hasHost: !/\bexample\.com$/.test(HOST),
        server: fill(book().home.server, { host: HOST }),
      });
    },
  },
  methods: {
    open(/** @type {WechatMiniprogram.TouchEvent<{}, {}, { page: string }>} */ event) {
      const { page } = event.currentTarget.dataset;
      if (this.data.hasTags) wx.navigateTo({ url: `/pages/${page}/${page}` });
      else device.toast(this.data.t.noTags);
    },
  },
});
