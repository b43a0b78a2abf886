import { createLivePlayerContext } from '@thalweg/elements/define';

const find = (id) => document.getElementById(id);
const player = find('player');
const context = createLivePlayerContext('player');
const given = new URLSearchParams(location.search);

player.src = given.get('src') ?? '';
// The server's web port, where it is not this page's.
if (given.has('origin')) player.httpOrigin = given.get('origin');

find('play').onclick = () => context.play({ fail: ({ errMsg }) => say(errMsg) });
find('stop').onclick = () => context.stop({ success: () => say('stopped') });
find('sound').onclick = () => context.mute();
// The mode counts from the next play on.
find('rtc').onchange = ({ target }) => {
  player.mode = target.checked ? 'RTC' : 'live';
  if (player.playing) context.play();
};

player.addEventListener('statechange', ({ detail: { code, message } }) => {
  say(`${code} ${message}`);
  // It has stopped by itself: the stream has ended, or three attempts to come back failed.
  if (code === 2006 || code === -2301) player.dataset.over = '';
  if (code === 2004) delete player.dataset.over;
});

function say(words) {
  find('state').textContent = words;
}
