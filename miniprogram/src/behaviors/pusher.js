const { PUSH } = require('../utils/codes.js');
const device = require('../utils/device.js');
const { logged, pushFigures, pushSays } = require('../utils/says.js');
const { afterNetStatus, isPushing, nextPush, PUSH_BEGUN, PUSH_IDLE, scopeOf } = require('../utils/states.js');
const { book, explain, fill } = require('../utils/words.js');

/**
 * A page with one `<live-pusher>`: what its tag says becomes `push`, `pushSays` and `pushOn`; `pushNotice` is what
 * the user has to do something about.
 */
module.exports = Behavior({
  data: {
    push: PUSH_IDLE,
    pushSays: /** @type {import('../utils/says.js').Says} */ ({ text: '', why: '', tone: 'off' }),
    pushOn: false,
    pushFigures: '',
    pushLines: /** @type {import('../utils/says.js').Line[]} */ ([]),
    pushMuted: false,
    pushDebug: false,
    pushNotice: '',
    pushDenied: false,
    /** Stopped only for as long as the page is not there, or something else needs the camera. */
    pushAway: false,
    left: false,
  },
  lifetimes: {
    attached() {
      this.tellPush(PUSH_IDLE);
    },
    detached() {
      this.data.left = true;
      this.data.pushAway = false;
      this.endPush();
    },
  },
  methods: {
    /** Asks for what it takes, and starts. @param {boolean} camera */
    async askAndPush(camera) {
      const refused = await device.allow(camera);
      if (this.data.left) return;
      this.setData({ pushNotice: refused && explain({ problem: refused }), pushDenied: refused === 'denied' });
      if (!refused) this.beginPush();
    },
    beginPush() {
      this.tellPush(PUSH_BEGUN);
      device.keepScreenOn('push', true);
      wx.createLivePusherContext().start({ fail: () => {} });
    },
    endPush() {
      this.data.pushAway = false;
      if (!isPushing(this.data.push)) return;
      this.tellPush(PUSH_IDLE);
      this.haltPush();
    },
    haltPush() {
      wx.createLivePusherContext().stop({ fail: () => {} });
      device.keepScreenOn('push', false);
    },
    /** Nobody wants to be filmed by a page that is not to be seen. */
    pausePush() {
      if (!isPushing(this.data.push)) return;
      this.endPush();
      this.data.pushAway = true;
    },
    resumePush() {
      if (!this.data.pushAway) return;
      this.data.pushAway = false;
      this.beginPush();
    },
    /** @param {WechatMiniprogram.CustomEvent<{ code: number }>} event */
    onPushState(event) {
      this.takePushCode(event.detail.code);
    },
    /** `binderror`: the user has denied something. @param {WechatMiniprogram.CustomEvent<{ errCode: number }>} event */
    onPushError(event) {
      this.takePushCode(event.detail.errCode);
    },
    /** @param {number} code */
    takePushCode(code) {
      const before = this.data.push;
      const after = nextPush(before, code);
      this.setData({ pushLines: logged(this.data.pushLines, code, PUSH) });
      if (after === before) return;
      this.tellPush(after);
      if (isPushing(after)) return;
      this.haltPush();
      device.toast(fill(book().common.endedPush, { why: this.data.pushSays.why }));
      if (scopeOf(code)) this.setData({ pushNotice: explain({ problem: 'denied' }), pushDenied: true });
    },
    /** @param {WechatMiniprogram.CustomEvent<{ info: Record<string, number> }>} event */
    onPushFigures({ detail: { info } }) {
      this.setData({ pushFigures: pushFigures(info) });
      const after = afterNetStatus(this.data.push, info);
      if (after !== this.data.push) this.tellPush(after);
    },
    /** @param {import('../utils/states.js').PushState} push */
    tellPush(push) {
      const pushOn = isPushing(push);
      this.setData({ push, pushSays: pushSays(push), pushOn, ...(pushOn ? {} : { pushFigures: '' }) });
    },
    switchCamera() {
      wx.createLivePusherContext().switchCamera({ fail: () => {} });
    },
    mutePush() {
      this.setData({ pushMuted: !this.data.pushMuted });
    },
    debugPush() {
      this.setData({ pushDebug: !this.data.pushDebug });
    },
  },
});
