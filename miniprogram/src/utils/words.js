/** The words of a page, in the phone's language. */

const { language } = require('./device.js');

const BOOKS = { zh: require('../words/zh.js'), en: require('../words/en.js') };

/** @param {'zh' | 'en'} [which] */
const book = (which = language()) => BOOKS[which];

/** Puts values into `{name}`. @param {string} text @param {Record<string, string | number>} values */
function fill(text, values) {
  return text.replace(/\{(\w+)\}/g, (whole, name) => (name in values ? String(values[name]) : whole));
}

/**
 * What somebody is told who was refused.
 * @param {{ problem: string, detail?: string, wait?: number }} refusal
 */
function explain({ problem, detail = '', wait = 0 }) {
  const { problems, common } = book();
  const sentences = [problems[/** @type {keyof typeof problems} */ (problem)]];
  // What comes with a request that never got there, WeChat says; all else the server.
  const isWeChat = problem === 'noServer' || problem === 'notInList';
  if (detail) sentences.push(isWeChat ? detail : fill(common.served, { detail }));
  if (wait) sentences.push(fill(common.wait, { n: wait }));
  return sentences.join('\n');
}

module.exports = { book, fill, explain };
