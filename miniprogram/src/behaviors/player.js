const { PLAY } = require('../utils/codes.js');
const device = require('../utils/device.js');
const { logged, playFigures, playSays } = require('../utils/says.js');
const { isLoading, isPlaying, nextPlay, PLAY_BEGUN, PLAY_IDLE } = require('../utils/states.js');
const { book, fill } = require('../utils/words.js');

/** A page with one `<live-player id="player">`: what its tag says becomes `play`, `playSays`, `playOn` and `loading`. */
module.exports = Behavior({
  data: {
    play: PLAY_IDLE,
    playSays: /** @type {import('../utils/says.js').Says} */ ({ text: '', why: '', tone: 'off' }),
    playOn: false,
    loading: false,
    playFigures: '',
    playLines: /** @type {import('../utils/says.js').Line[]} */ ([]),
    playMuted: false,
    playDebug: false,
    left: false,
  },
  lifetimes: {
    attached() {
      this.tellPlay(PLAY_IDLE);
    },
    detached() {
      this.data.left = true;
      this.endPlay();
    },
  },
  methods: {
    /**
     * Plays, with these attributes; what plays is stopped first, for most of them count from the next start only. On a
     * page that was left while something was asked nothing begins: nobody would end it.
     * @param {Record<string, unknown>} attributes
     */
    beginPlay(attributes) {
      if (this.data.left) return;
      this.endPlay();
      this.setData(attributes, () => {
        this.tellPlay(PLAY_BEGUN);
        device.keepScreenOn('play', true);
        wx.createLivePlayerContext('player', this).play({ fail: () => {} });
      });
    },
    endPlay() {
      if (!isPlaying(this.data.play)) return;
      this.tellPlay(PLAY_IDLE);
      this.haltPlay();
    },
    haltPlay() {
      wx.createLivePlayerContext('player', this).stop({ fail: () => {} });
      device.keepScreenOn('play', false);
    },
    /** @param {WechatMiniprogram.CustomEvent<{ code: number }>} event */
    onPlayState({ detail: { code } }) {
      const before = this.data.play;
      const after = nextPlay(before, code);
      this.setData({ playLines: logged(this.data.playLines, code, PLAY) });
      if (after === before) return;
      this.tellPlay(after);
      if (isPlaying(after)) return;
      this.haltPlay();
      const { common } = book();
      device.toast(after.phase === 'ended' ? common.over : fill(common.endedPlay, { why: this.data.playSays.why }));
    },
    /** @param {WechatMiniprogram.CustomEvent<{ info: Record<string, number> }>} event */
    onPlayFigures({ detail: { info } }) {
      this.setData({ playFigures: playFigures(info) });
    },
    /** @param {import('../utils/states.js').PlayState} play */
    tellPlay(play) {
      const playOn = isPlaying(play);
      const figures = playOn ? {} : { playFigures: '' };
      this.setData({ play, playSays: playSays(play), playOn, loading: isLoading(play), ...figures });
    },
    mutePlay() {
      this.setData({ playMuted: !this.data.playMuted });
    },
    debugPlay() {
      this.setData({ playDebug: !this.data.playDebug });
    },
  },
});
