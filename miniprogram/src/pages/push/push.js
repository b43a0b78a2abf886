const pusher = require('../../behaviors/pusher.js');
const { worded } = require('../../behaviors/worded.js');
const { BEAUTY, pushPreset } = require('../../utils/presets.js');

Component({
  behaviors: [worded('push'), pusher],
  data: {
    url: '',
    preset: pushPreset('HD'),
    orientation: 'vertical',
    audioOnly: false,
    beautyOn: false,
    beauty: { beauty: 0, whiteness: 0 },
  },
  methods: {
    onShow() {
      this.resumePush();
    },
    onHide() {
      this.pausePush();
    },
    /** @param {{ url?: string, mode?: string, orientation?: string, audioOnly?: string }} query */
    onLoad({ url = '', mode = '', orientation, audioOnly }) {
      this.setData({
        // WeChat hands the query over as it was written.
        url: decodeURIComponent(url),
        preset: pushPreset(mode),
        orientation: orientation === 'horizontal' ? orientation : 'vertical',
        audioOnly: Boolean(audioOnly),
      });
    },
    /** Before that the tag cannot be reached. */
    onReady() {
      return this.start();
    },
    start() {
      return this.askAndPush(!this.data.audioOnly);
    },
    toggle() {
      if (this.data.pushOn) this.endPush();
      else this.start();
    },
    toggleBeauty() {
      const beautyOn = !this.data.beautyOn;
      this.setData({ beautyOn, beauty: beautyOn ? BEAUTY : { beauty: 0, whiteness: 0 } });
    },
    /** Back from WeChat's settings. */
    onSettings() {
      this.start();
    },
  },
});
