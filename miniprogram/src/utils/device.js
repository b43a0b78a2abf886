/** The phone: its language, its clipboard, its scanner, and what the user allows. Refusals are answers, not errors. */

/** @returns {'zh' | 'en'} Chinese in all its kinds; English to everyone else. */
function language() {
  // Base libraries before 2.20.1 have only the older of the two.
  const { language } = wx.getAppBaseInfo ? wx.getAppBaseInfo() : wx.getSystemInfoSync();
  return /^zh/i.test(language || '') ? 'zh' : 'en';
}

/** WeChat says itself that it is copied. @param {string} text @returns {Promise<boolean>} */
function copy(text) {
  return new Promise((resolve) => {
    wx.setClipboardData({ data: text, success: () => resolve(true), fail: () => resolve(false) });
  });
}

/** @returns {Promise<{ text: string, problem: '' | 'pasteFailed' }>} */
function paste() {
  return new Promise((resolve) => {
    wx.getClipboardData({
      success: ({ data }) => resolve({ text: String(data).trim(), problem: '' }),
      fail: () => resolve({ text: '', problem: 'pasteFailed' }),
    });
  });
}

/**
 * Scans a code. Who goes back without one gets neither text nor problem.
 * @returns {Promise<{ text: string, problem: '' | 'scanFailed' | 'scanDenied' }>}
 */
function scan() {
  return new Promise((resolve) => {
    wx.scanCode({
      scanType: ['qrCode'],
      success: ({ result }) => resolve({ text: result.trim(), problem: '' }),
      fail: ({ errMsg }) => {
        const denied = /den(y|ied)|permission|authorize/i.test(errMsg);
        resolve({ text: '', problem: /cancel/i.test(errMsg) ? '' : denied ? 'scanDenied' : 'scanFailed' });
      },
    });
  });
}

/**
 * Asks for camera and microphone before the tag needs them. '' if both are there; `denied` if the user has said no:
 * WeChat does not ask twice, only its settings page helps (`open-type="openSetting"`); `system` if WeChat itself may
 * not use them; `undeclared` if the mini-program's privacy guide does not name them.
 * @param {boolean} camera whether it is wanted, beside the microphone
 * @returns {Promise<'' | 'denied' | 'system' | 'undeclared'>}
 */
async function allow(camera) {
  /** @type {('scope.camera' | 'scope.record')[]} */
  const scopes = camera ? ['scope.camera', 'scope.record'] : ['scope.record'];
  for (const scope of scopes) {
    const refused = await authorize(scope);
    if (refused) return refused;
  }
  return '';
}

/** @param {'scope.camera' | 'scope.record'} scope @returns {Promise<'' | 'denied' | 'system' | 'undeclared'>} */
function authorize(scope) {
  return new Promise((resolve) => {
    wx.authorize({
      scope,
      success: () => resolve(''),
      fail: ({ errMsg }) => {
        if (/privacy/i.test(errMsg)) resolve('undeclared');
        else resolve(/system/i.test(errMsg) ? 'system' : 'denied');
      },
    });
  });
}

/**
 * While somebody pushes or watches the screen stays on; a call does both.
 * @param {'push' | 'play'} what
 * @param {boolean} on
 */
function keepScreenOn(what, on) {
  if (on) busy.add(what);
  else busy.delete(what);
  // Not every phone can, and nothing depends on it.
  wx.setKeepScreenOn({ keepScreenOn: busy.size > 0, fail: () => {} });
}

/** @type {Set<'push' | 'play'>} */
const busy = new Set();

/** @param {string} title */
function toast(title) {
  wx.showToast({ title, icon: 'none', duration: 3000 });
}

module.exports = { language, copy, paste, scan, allow, keepScreenOn, toast };
