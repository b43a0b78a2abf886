const { book } = require('../utils/words.js');

/**
 * Gives a page its words: `t` has those that all pages share and its own.
 * @param {'home' | 'pushConfig' | 'push' | 'play' | 'lowLatency' | 'call'} page
 */
const worded = (page) =>
  Behavior({
    data: { t: /** @type {Record<string, string>} */ ({}) },
    lifetimes: {
      attached() {
        const words = book();
        this.setData({ t: { ...words.common, ...words[page] } });
        wx.setNavigationBarTitle({ title: words[page].title });
      },
    },
  });

module.exports = { worded };
