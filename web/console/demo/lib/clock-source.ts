/** The test clock, made by a page: the picture and the beep of docs/ref/clock.md, as a stream to push. */

import { MINUTE_PICTURES, numberAt, rows, STRIP } from './barcode';
import { serverNow } from './time';

export interface ClockSource {
  stream: MediaStream;
  stop(): void;
}

/** Call it within a click: sound begins with one. It shows the server's time, so that any screen's delay is right. */
export function startClock(): ClockSource {
  const canvas = document.createElement('canvas');
  canvas.width = WIDTH;
  canvas.height = HEIGHT;
  const context = canvas.getContext('2d', { alpha: false });
  if (!context) throw new Error('no canvas');
  const audio = new AudioContext();
  const sound = audio.createMediaStreamDestination();

  let drawn = -1;
  let beepedS = 0;
  const turn = () => {
    const now = serverNow();
    const number = numberAt(now);
    if (number !== drawn) draw(context, now, number);
    drawn = number;
    // The next second's, while it is still to come.
    const nextS = Math.ceil(now / 1000);
    if (nextS === beepedS || nextS * 1000 - now > BEEP_AHEAD_MS) return;
    beepedS = nextS;
    beep(audio, sound, (nextS * 1000 - now) / 1000, nextS % 60 === 0);
  };
  turn();
  const timer = setInterval(turn, TURN_MS);
  const picture = canvas.captureStream(FPS);
  const stream = new MediaStream([...picture.getVideoTracks(), ...sound.stream.getAudioTracks()]);
  return {
    stream,
    stop() {
      clearInterval(timer);
      for (const track of stream.getTracks()) track.stop();
      void audio.close();
    },
  };
}

function draw(context: CanvasRenderingContext2D, now: number, number: number): void {
  const below = Math.round(HEIGHT * STRIP);
  const sky = context.createLinearGradient(0, 0, 0, HEIGHT);
  sky.addColorStop(0, '#0a2431');
  sky.addColorStop(1, '#12617f');
  context.fillStyle = sky;
  context.fillRect(0, 0, WIDTH, HEIGHT - below);
  const [x, y, r] = [WIDTH / 2, 150, 118];
  context.lineWidth = 10;
  context.strokeStyle = '#ffffff22';
  ring(context, x, y, r, 1);
  context.strokeStyle = '#7fe0d2';
  ring(context, x, y, r, number / MINUTE_PICTURES);
  context.fillStyle = '#fff';
  context.textAlign = 'center';
  context.textBaseline = 'middle';
  const at = new Date(now);
  const two = (n: number) => String(n).padStart(2, '0');
  context.font = '600 68px system-ui, sans-serif';
  context.fillText(`${two(at.getSeconds())}.${Math.floor(at.getMilliseconds() / 100)}`, x, y);
  context.font = '400 22px system-ui, sans-serif';
  context.fillStyle = '#c6d8e0';
  context.fillText(`${two(at.getHours())}:${two(at.getMinutes())}`, x, y + 54);
  // 40 pixels a cell and 20 a row, as the program's own clock.
  for (const [row, bits] of rows(number).entries()) {
    for (const [cell, bit] of bits.entries()) {
      context.fillStyle = bit ? '#fff' : '#000';
      context.fillRect(cell * (WIDTH / bits.length), HEIGHT - below + row * (below / 2), WIDTH / bits.length, below / 2);
    }
  }
}

function ring(context: CanvasRenderingContext2D, x: number, y: number, r: number, part: number): void {
  context.beginPath();
  context.arc(x, y, r, -Math.PI / 2, -Math.PI / 2 + part * 2 * Math.PI);
  context.stroke();
}

function beep(audio: AudioContext, to: AudioNode, inS: number, isMinute: boolean): void {
  const tone = audio.createOscillator();
  const level = audio.createGain();
  level.gain.value = 0.4;
  tone.frequency.value = isMinute ? 1760 : 880;
  tone.connect(level).connect(to);
  const at = audio.currentTime + inS;
  tone.start(at);
  tone.stop(at + BEEP_S);
}

const WIDTH = 640;
const HEIGHT = 360;
export const FPS = 25;
/** A quarter of a picture: so late a new one is drawn at most. */
const TURN_MS = 10;
const BEEP_S = 0.08;
const BEEP_AHEAD_MS = 300;
