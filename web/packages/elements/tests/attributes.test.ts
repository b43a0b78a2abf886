import { describe, expect, it } from 'vitest';
import { type Attribute, propertyOf, read, takes } from '../src/attributes';
import { PUSHER } from '../src/push/attributes';

describe("the pusher's attributes", () => {
  // What an app that is ported expects: the mini-program's names and defaults.
  const DEFAULTS = {
    url: '',
    mode: 'RTC',
    autopush: false,
    muted: false,
    'enable-camera': true,
    'enable-mic': true,
    'auto-focus': true,
    orientation: 'vertical',
    beauty: 0,
    whiteness: 0,
    'beauty-style': 'smooth',
    filter: 'standard',
    aspect: '9:16',
    'min-bitrate': 200,
    'max-bitrate': 1000,
    'video-width': 360,
    'video-height': 640,
    fps: 15,
    'audio-quality': 'high',
    'audio-volume-type': 'auto',
    'audio-reverb-type': 0,
    'voice-changer-type': 0,
    'enable-agc': false,
    'enable-ans': false,
    'device-position': 'front',
    'local-mirror': 'auto',
    'remote-mirror': false,
    mirror: false,
    zoom: false,
    'waiting-image': '',
    'waiting-image-hash': '',
    'background-mute': false,
    'picture-in-picture-mode': '',
    'custom-effect': false,
    'skin-whiteness': 0,
    'skin-smoothness': 0,
    'face-thinness': 0,
    'eye-bigness': 0,
    'enable-video-custom-render': false,
    source: 'camera',
    debug: false,
    'http-origin': '',
  };

  it('have the documented defaults', () => {
    expect(Object.fromEntries(Object.entries(PUSHER).map(([name, { initial }]) => [name, initial]))).toEqual(DEFAULTS);
  });

  const CASES: [name: keyof typeof PUSHER, given: string | null, value: unknown][] = [
    ['beauty', null, 0],
    ['beauty', '6.3', 6.3],
    ['beauty', ' 9 ', 9],
    ['beauty', '10', null],
    ['beauty', '-1', null],
    ['beauty', '', null],
    ['beauty', 'much', null],
    ['beauty', 'NaN', null],
    ['fps', 'Infinity', null],
    ['fps', '30', 30],
    ['mode', 'FHD', 'FHD'],
    ['mode', 'fhd', null],
    ['mode', '', null],
    ['muted', '', true],
    ['muted', 'true', true],
    ['muted', 'false', false],
    ['enable-camera', 'false', false],
    ['enable-camera', null, true],
    ['enable-camera', 'no', null],
    ['url', 'whatever stands there', 'whatever stands there'],
  ];
  it.each(CASES)('%s="%s" says %s', (name, given, value) => {
    expect(read(PUSHER[name] as Attribute, given)).toBe(value);
  });

  it('say what they take', () => {
    expect(takes(PUSHER.beauty)).toBe('a number from 0 to 9');
    expect(takes(PUSHER.orientation)).toBe('vertical, horizontal');
    expect(takes(PUSHER.muted)).toBe('true, false');
    expect(propertyOf('min-bitrate')).toBe('minBitrate');
  });
});
