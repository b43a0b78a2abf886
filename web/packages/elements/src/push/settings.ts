/** What a pusher can be told, and what that comes to. */

import { type Bounds, type Mode, RECOMMENDED } from './bitrate';
import type { Source } from './capture';
import type { Look } from './filter';
import { QUALITY } from './sound';

export interface Settings {
  mode: Mode;
  source: Source;
  camera: boolean;
  mic: boolean;
  muted: boolean;
  position: 'front' | 'back';
  gainControl: boolean;
  noiseSuppression: boolean;
  autoFocus: boolean;
  quality: 'high' | 'low';
  /** kbit/s; `null`: by mode. */
  minKbps: number | null;
  maxKbps: number | null;
  /** Pixels of the upright picture; `null`: by mode, and of a screen or a given stream by its own shape. */
  width: number | null;
  height: number | null;
  aspect: '9:16' | '3:4';
  orientation: 'vertical' | 'horizontal';
  fps: number;
  beauty: number;
  whiteness: number;
  style: Look['style'];
  colours: string;
  localMirror: 'auto' | 'enable' | 'disable';
  remoteMirror: boolean;
  /** 0 none; 1 to 7. */
  reverb: number;
  /** URL of a picture; empty for none. */
  waitingImage: string;
  backgroundMute: boolean;
  /** Of the server, where the URL does not say it. */
  httpOrigin: string;
  /** 1 to 10. */
  retries: number;
  /** Seconds, 3 to 30. */
  retryInterval: number;
}

export const DEFAULTS: Readonly<Settings> = {
  mode: 'RTC',
  source: 'camera',
  camera: true,
  mic: true,
  muted: false,
  position: 'front',
  gainControl: false,
  noiseSuppression: false,
  autoFocus: true,
  quality: 'high',
  minKbps: null,
  maxKbps: null,
  width: null,
  height: null,
  aspect: '9:16',
  orientation: 'vertical',
  fps: 15,
  beauty: 0,
  whiteness: 0,
  style: 'smooth',
  colours: 'standard',
  localMirror: 'auto',
  remoteMirror: false,
  reverb: 0,
  waitingImage: '',
  backgroundMute: false,
  httpOrigin: '',
  retries: 3,
  retryInterval: 3,
};

/** The size and rate that settings ask for. `shape` is that of the source, once it is known. */
export function boundsOf(settings: Settings, shape: { width: number; height: number } | null): Bounds {
  const { fps } = settings;
  const { minKbps, maxKbps } = rates(settings);
  const soundKbps = QUALITY[settings.quality].kbps;
  const { shrinks } = RECOMMENDED[settings.mode];
  return { minKbps, maxKbps, fps, shrinks, soundKbps, ...sizeOf(settings, shape) };
}

/** One that is given moves the other, if that is by mode, and never the other way round. */
function rates({ mode, minKbps, maxKbps }: Settings): { minKbps: number; maxKbps: number } {
  const by = RECOMMENDED[mode];
  const max = maxKbps ?? Math.max(by.maxKbps, minKbps ?? 0);
  const min = minKbps ?? Math.min(by.minKbps, max);
  return { minKbps: Math.min(min, max), maxKbps: max };
}

function sizeOf(
  settings: Settings,
  shape: { width: number; height: number } | null,
): { width: number; height: number } {
  const { mode, source, aspect, orientation, width, height } = settings;
  const by = RECOMMENDED[mode];
  const isFree = width === null && height === null;
  // A screen, or what a page draws, is not cut: it has as many pixels as the mode's picture, and its own shape.
  if (source !== 'camera' && isFree && shape) {
    const scale = Math.min(1, Math.sqrt((by.width * by.height) / (shape.width * shape.height)));
    return { width: even(shape.width * scale), height: even(shape.height * scale) };
  }
  const ratio = aspect === '9:16' ? 16 / 9 : 4 / 3;
  const w = width ?? (height === null ? by.width : height / ratio);
  const h = height ?? w * ratio;
  const isUpright = orientation === 'vertical';
  return { width: even(isUpright ? w : h), height: even(isUpright ? h : w) };
}

/** H.264's pictures have half the colours in each direction; this side and that of 4096 is what encoders take. */
function even(n: number): number {
  return Math.min(4096, Math.max(16, 2 * Math.round(n / 2)));
}
