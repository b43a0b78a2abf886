import { control, type Frame, media } from '@thalweg/player/wire';
import { describe, expect, it } from 'vitest';
import { Outbox, type Outgoing } from '../src/push/outbox';
import { Stalls } from '../src/push/uplink';
import { Queue } from '../src/push/ws-flv';

function frame(kind: Frame['kind'], at: number, key = false, bytes = 1000): [Frame, Uint8Array<ArrayBuffer>] {
  const body = new Uint8Array(bytes);
  return [{ kind, codec: kind === 'audio' ? 'aac' : 'avc', config: false, key, dts: at, cts: 0, data: body }, body];
}

function config(at: number, ...bytes: number[]): [Frame, Uint8Array<ArrayBuffer>] {
  const body = Uint8Array.of(0x17, 0, 0, 0, 0, ...bytes);
  return [{ kind: 'video', codec: 'avc', config: true, key: false, dts: at, cts: 0, data: body }, body];
}

const headerOf = ({ chunks }: Outgoing) => media.decodeHeader(chunks[0]!);

function drain(outbox: Outbox, now: number): Outgoing[] {
  const out: Outgoing[] = [];
  for (let next = outbox.next(now); next; next = outbox.next(now)) out.push(next);
  return out;
}

describe('what goes out over RTMP-UDP', () => {
  it('is numbered by kind, and says which key frame a picture needs', () => {
    const outbox = new Outbox(0);
    outbox.push(...frame('video', 0, true), 0);
    outbox.push(...frame('audio', 5), 5);
    outbox.push(...frame('video', 66), 66);
    const [sound, key, delta] = drain(outbox, 66).map(headerOf);
    expect(sound).toMatchObject({ kind: 8, seq: 1, gop: 0, start: true, timestamp: 5 });
    expect(key).toMatchObject({ kind: 9, seq: 1, gop: 1, key: true, start: true });
    expect(delta).toMatchObject({ kind: 9, seq: 2, gop: 1, key: false, start: false });
  });

  it('has sound before key frames before pictures, and the older before the younger', () => {
    const outbox = new Outbox(0);
    outbox.push(...frame('video', 0, true), 0);
    outbox.push(...frame('video', 66), 0);
    outbox.push(...frame('video', 133), 0);
    outbox.push(...frame('audio', 140), 0);
    const out = drain(outbox, 0);
    expect(out.map((o) => headerOf(o).timestamp)).toEqual([140, 0, 66, 133]);
    const orders = out.map((o) => o.sendOrder);
    expect(orders).toEqual([...orders].sort((a, b) => b - a));
    expect(orders.every(Number.isSafeInteger)).toBe(true);
  });

  it('says configuration when it is new, with the generation that media then need', () => {
    const outbox = new Outbox(0);
    outbox.push(...config(0, 1), 0);
    outbox.push(...config(1000, 1), 0);
    expect(outbox.takeMessages().map(({ cfg, type }) => [type, cfg])).toEqual([[9, 1]]);
    outbox.push(...config(2000, 2), 0);
    outbox.push(...frame('video', 2000, true), 0);
    expect(outbox.takeMessages().map(({ cfg }) => cfg)).toEqual([2]);
    expect(headerOf(drain(outbox, 0)[0]!).cfg).toBe(2);
  });

  it('does not let pictures pile up within the browser', () => {
    const outbox = new Outbox(0);
    for (let n = 0; n < 20; n++) outbox.push(...frame('video', n, n === 0, 10_000), 0);
    const flying = drain(outbox, 0);
    expect(flying.length).toBeLessThan(8);
    outbox.push(...frame('audio', 21), 0);
    outbox.handleDone(flying[0]!.id, 1);
    expect(headerOf(outbox.next(1)!).kind).toBe(8);
  });

  it('gives up sound after 400 ms, and resets its stream', () => {
    const outbox = new Outbox(0);
    outbox.push(...frame('audio', 0), 0);
    const [sound] = drain(outbox, 0);
    outbox.handleTimeout(399);
    expect(outbox.takeResets()).toEqual([]);
    outbox.handleTimeout(400);
    expect(outbox.takeResets()).toEqual([{ id: sound!.id, code: control.Reset.Late }]);
    expect(outbox.given).toBe(1);
  });

  it('gives up the rest of a GOP with one of its pictures, and goes on with a key frame that begins anew', () => {
    const outbox = new Outbox(0);
    outbox.push(...frame('video', 0, true), 0);
    outbox.push(...frame('video', 66), 66);
    outbox.handleDone(drain(outbox, 66)[0]!.id, 80);
    outbox.handleTimeout(66 + 800);
    expect(outbox.takeResets()).toHaveLength(1);
    outbox.push(...frame('video', 900), 900);
    expect(outbox.isGated).toBe(true);
    expect(drain(outbox, 900)).toEqual([]);
    outbox.push(...frame('video', 1000, true), 1000);
    expect(headerOf(drain(outbox, 1000)[0]!)).toMatchObject({ key: true, start: true, seq: 4, gop: 4 });
  });

  it('holds pictures back when the oldest is older than 450 ms, and wants a key frame once there is room', () => {
    const outbox = new Outbox(0);
    outbox.push(...frame('video', 0, true), 0);
    const [key] = drain(outbox, 0);
    for (let at = 66; at <= 600; at += 66) outbox.push(...frame('video', at), at);
    expect(outbox.isGated).toBe(true);
    expect(outbox.isKeyDue(600)).toBe(false);
    outbox.handleDone(key!.id, 610);
    for (const { id } of drain(outbox, 610)) outbox.handleDone(id, 620);
    for (const { id } of drain(outbox, 620)) outbox.handleDone(id, 630);
    expect(outbox.isKeyDue(630)).toBe(true);
  });

  it('marks the next key frame after the server asked for one', () => {
    const outbox = new Outbox(0);
    outbox.push(...frame('video', 0, true), 0);
    outbox.push(...frame('video', 1000, true), 50);
    outbox.handleKeyRequest();
    outbox.push(...frame('video', 2000, true), 100);
    expect(drain(outbox, 100).map((o) => headerOf(o).start)).toEqual([true, false, true]);
  });

  it('knows a queue by how long even the quickest picture took', () => {
    const outbox = new Outbox(0);
    const send = (at: number, tookMs: number) => {
      outbox.push(...frame('video', at, true), at);
      for (const { id } of drain(outbox, at)) outbox.handleDone(id, at + tookMs);
    };
    for (let at = 0; at < 500; at += 100) send(at, at === 200 ? 300 : 30);
    expect(outbox.look(500)).toMatchObject({ backlogMs: 0 });
    for (let at = 500; at < 1000; at += 100) send(at, 430);
    expect(outbox.look(1000).backlogMs).toBe(400);
    expect(outbox.look(1500)).toMatchObject({ backlogMs: 0, takenKbps: 0 });
  });
});

describe('a page that did not get to run', () => {
  it('notes for how long', () => {
    const stalls = new Stalls(0);
    expect([25, 52, 110, 610, 630].map((now) => stalls.note(now))).toEqual([0, 0, 0, 475, 0]);
  });

  it('does not take what came meanwhile for late, nor gives it up', () => {
    const outbox = new Outbox(0);
    outbox.push(...frame('video', 0, true), 0);
    for (const { id } of drain(outbox, 0)) outbox.handleDone(id, 30);
    outbox.push(...frame('video', 66), 66);
    outbox.push(...frame('audio', 66), 66);
    const flying = drain(outbox, 66);
    outbox.excuse(900);
    outbox.handleTimeout(1000);
    expect(outbox.takeResets()).toEqual([]);
    for (const { id } of flying) outbox.handleDone(id, 1000);
    expect(outbox.look(1000).backlogMs).toBeLessThan(10);

    const queue = new Queue(1000, 0);
    queue.push('video', 1000, 0);
    queue.excuse(900);
    queue.look(1000, 1000);
    expect(queue.vitals(1000).backlogMs).toBe(100);
  });
});

describe('what waits for a WebSocket', () => {
  it('is as old as the oldest that is still buffered', () => {
    const queue = new Queue(1000, 0);
    queue.push('video', 1000, 0);
    queue.push('audio', 100, 200);
    queue.look(600, 300);
    expect(queue.vitals(300)).toMatchObject({ backlogMs: 300, waitingVideo: 1, waitingAudio: 1 });
    queue.look(100, 400);
    expect(queue.vitals(400)).toMatchObject({ backlogMs: 200, waitingVideo: 0, takenKbps: 40 });
    queue.look(0, 500);
    expect(queue.vitals(500)).toMatchObject({ backlogMs: 0, waitingAudio: 0 });
  });

  it('leaves pictures out up to a key frame, never sound, and wants one when the rest is gone', () => {
    const queue = new Queue(1000, 0);
    const [key] = frame('video', 0, true);
    const [delta] = frame('video', 0);
    const [sound] = frame('audio', 0);
    expect(queue.letsThrough(key, 0)).toBe(true);
    queue.push('video', 50_000, 0);
    queue.look(50_000, 1001);
    expect(queue.letsThrough(delta, 1001)).toBe(false);
    expect(queue.letsThrough(sound, 1001)).toBe(true);
    expect(queue.letsThrough(key, 1100)).toBe(false);
    expect(queue.isKeyDue(1100)).toBe(false);
    queue.look(0, 1200);
    expect(queue.letsThrough(delta, 1200)).toBe(false);
    expect(queue.isKeyDue(1200)).toBe(true);
    expect(queue.letsThrough(key, 1210)).toBe(true);
    expect(queue.letsThrough(delta, 1220)).toBe(true);
    expect(queue.vitals(1300)).toMatchObject({ dropped: true, given: 3 });
  });
});
