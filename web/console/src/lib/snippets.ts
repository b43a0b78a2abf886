/** What to paste into the programs that push and play. */

/** A text in double quotes for a shell; the same in PowerShell and cmd as long as there is no `$`. */
export function quoted(text: string): string {
  return `"${text.replace(/[\\"$`]/g, '\\$&')}"`;
}

/** A test picture with a tone: needs nothing but ffmpeg. */
export function ffmpegTest(push: string): string {
  return [
    'ffmpeg -re -f lavfi -i testsrc2=size=1280x720:rate=25',
    '-f lavfi -i sine=frequency=440',
    '-c:v libx264 -preset veryfast -tune zerolatency',
    '-pix_fmt yuv420p -g 50 -b:v 1500k -c:a aac -b:a 96k',
    `-f flv ${quoted(push)}`,
  ].join(' \\\n  ');
}

/** A file, again and again. */
export function ffmpegFile(push: string): string {
  return [
    'ffmpeg -re -stream_loop -1 -i input.mp4',
    '-c:v libx264 -preset veryfast -tune zerolatency',
    '-g 50 -c:a aac',
    `-f flv ${quoted(push)}`,
  ].join(' \\\n  ');
}

/** The mini-program's pusher, and the data it is bound to. */
export function pusherTag(push: string): string {
  return [
    '<!-- page.wxml -->',
    '<live-pusher url="{{pushUrl}}" mode="RTC" autopush',
    '             bindstatechange="onPush" binderror="onPushError" />',
    '',
    '// page.js',
    'Page({',
    `  data: { pushUrl: ${JSON.stringify(push)} },`,
    '  onPush(event) { console.log("push", event.detail.code); },',
    '  onPushError(event) { console.log("push error", event.detail.errCode); },',
    '});',
  ].join('\n');
}

/** The mini-program's player: `live` for FLV or RTMP, `RTC` for the RTMP URL of RTC mode. */
export function playerTag(play: string, mode: 'live' | 'RTC'): string {
  const cache = mode === 'live' ? ' min-cache="1" max-cache="3"' : ' min-cache="0.2" max-cache="0.8"';
  return [
    '<!-- page.wxml -->',
    `<live-player src="{{playUrl}}" mode="${mode}"${cache} autoplay`,
    '             bindstatechange="onPlay" />',
    '',
    '// page.js',
    'Page({',
    `  data: { playUrl: ${JSON.stringify(play)} },`,
    '  onPlay(event) { console.log("play", event.detail.code); },',
    '});',
  ].join('\n');
}

/** Opens a stream with ffplay, without waiting to fill a buffer. */
export function ffplay(play: string): string {
  return `ffplay -fflags nobuffer -flags low_delay ${quoted(play)}`;
}
