/** What the tags are told for a mode or a strategy: attributes, as the vendor's documents recommend them. */

/**
 * @typedef {'SD' | 'HD' | 'FHD' | 'RTC'} PushMode
 * @typedef {{ mode: PushMode, min: number, max: number }} PushPreset `min` and `max` in kbit/s
 * @typedef {'auto' | 'speedy' | 'smooth'} Strategy
 */

/** @type {PushPreset[]} SD, HD and FHD keep the picture clear, RTC keeps the delay low. */
const PUSH_MODES = [
  { mode: 'SD', min: 300, max: 800 },
  { mode: 'HD', min: 600, max: 1200 },
  { mode: 'FHD', min: 600, max: 1800 },
  { mode: 'RTC', min: 200, max: 1000 },
];

/** @param {string} mode @returns {PushPreset} HD, which is the advice, for what is not a mode. */
const pushPreset = (mode) => PUSH_MODES.find((preset) => preset.mode === mode) || PUSH_MODES[1];

/**
 * The three cache strategies as `min-cache` and `max-cache`, seconds. The level floats between the two; where they
 * are the same it stays there.
 * @type {{ name: Strategy, min: number, max: number }[]}
 */
const STRATEGIES = [
  { name: 'auto', min: 1, max: 5 },
  { name: 'speedy', min: 1, max: 1 },
  { name: 'smooth', min: 5, max: 5 },
];

/** What the tag has by itself, and one begins with. */
const CACHE_DEFAULT = { min: 1, max: 3 };
/** Live mode takes no less than 1; more than 10 s is of no use to anybody. */
const CACHE_BOUNDS = { min: 1, max: 10, step: 0.5 };
/** What WeChat's documents suggest in RTC mode. */
const CACHE_RTC = { min: 0.2, max: 0.8 };

/**
 * The cache after one slider was moved: within the bounds, and the other one goes along where it has to.
 * @param {{ min: number, max: number }} cache
 * @param {'min' | 'max'} moved
 * @param {number} value
 */
function moveCache(cache, moved, value) {
  const to = Math.min(CACHE_BOUNDS.max, Math.max(CACHE_BOUNDS.min, value));
  return moved === 'min' ? { min: to, max: Math.max(to, cache.max) } : { min: Math.min(to, cache.min), max: to };
}

/**
 * Which strategy a cache is; '' where it is none of the three.
 * @param {{ min: number, max: number }} cache
 * @returns {Strategy | ''}
 */
function strategyOf(cache) {
  const strategy = STRATEGIES.find(({ min, max }) => min === cache.min && max === cache.max);
  return strategy ? strategy.name : '';
}

/** Beauty and whiteness, 0 to 9, while beauty is on. */
const BEAUTY = { beauty: 6.3, whiteness: 3 };

module.exports = {
  PUSH_MODES,
  pushPreset,
  STRATEGIES,
  CACHE_DEFAULT,
  CACHE_BOUNDS,
  CACHE_RTC,
  moveCache,
  strategyOf,
  BEAUTY,
};
