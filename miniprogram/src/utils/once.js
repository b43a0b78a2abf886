/**
 * Lets one call through in `ms`: a button that is tapped twice starts one thing.
 * @param {number} ms
 */
function once(ms) {
  let last = Number.NEGATIVE_INFINITY;
  /** @param {number} [now] */
  return (now = Date.now()) => {
    // A clock that was set back must not lock the button.
    if (now >= last && now - last < ms) return false;
    last = now;
    return true;
  };
}

module.exports = { once };
