import { describe, expect, test } from 'vitest';
import { config, Kind } from '../../src/rtmp-udp/control';
import { type Header, NO_FLAGS } from '../../src/rtmp-udp/media';
import { type Arrived, isAhead, Receiver } from '../../src/rtmp-udp/receiver';

/** How long a receiver of these tests waits for a hole. */
const PATIENCE = 100;

/** A receiver, and its clock in milliseconds. */
class Peer {
  readonly receiver: Receiver;
  ms = 0;

  constructor(conceal = false, bodyBytesMax = 1 << 20) {
    this.receiver = new Receiver(conceal, bodyBytesMax);
    this.receiver.handlePatience(PATIENCE);
  }

  /** Turns the clock, keeping every appointment on the way. */
  at(ms: number): void {
    expect(ms).toBeGreaterThanOrEqual(this.ms);
    for (let n = 0; n < 1000; n++) {
      const next = this.receiver.pollTimeout();
      if (next === null || next > ms) break;
      this.receiver.handleTimeout(next);
      expect(this.receiver.pollTimeout(), 'it would spin').not.toBe(next);
    }
    this.ms = ms;
  }

  takes(...headers: Header[]): void {
    for (const header of headers) {
      this.receiver.handleMedia(header, Uint8Array.of(0x27, 1, 0, 0, 0, header.seq), this.ms);
    }
  }

  loses(header: Header): void {
    this.receiver.handleReset(header, this.ms);
  }

  learns(kind: Kind, cfg: number): void {
    this.receiver.handleConfig(config(kind, cfg, 0, Uint8Array.of(0x17, 0, 0, 0, 0, cfg)), this.ms);
  }

  handedOut(): Arrived[] {
    const all: Arrived[] = [];
    for (let next = this.receiver.pollFrame(); next; next = this.receiver.pollFrame()) all.push(next);
    return all;
  }

  /** The numbers of what was handed out; a configuration's is its generation, negative. */
  seqs(): number[] {
    return this.handedOut().map((arrived) => (arrived.config ? -(arrived.body[5] ?? 0) : arrived.seq));
  }
}

function sound(seq: number): Header {
  const timestamp = seq * 20;
  return { kind: Kind.Audio, ...NO_FLAGS, track: 0, cfg: 0, seq, gop: 0, timestamp, ingest: null };
}

function picture(seq: number, gop: number): Header {
  return { ...sound(seq), kind: Kind.Video, key: seq === gop, gop };
}

const key = (seq: number) => picture(seq, seq);
const start = (seq: number): Header => ({ ...key(seq), start: true });
const disposable = (seq: number, gop: number): Header => ({ ...picture(seq, gop), disposable: true });
const after = (afterDisposable: number, header: Header): Header => ({ ...header, afterDisposable });
const needing = (cfg: number, header: Header): Header => ({ ...header, cfg });

describe('order', () => {
  test('what comes in order is handed out at once', () => {
    for (const conceal of [false, true]) {
      const peer = new Peer(conceal);
      peer.takes(key(1), sound(1), picture(2, 1), sound(2), key(3));
      expect(peer.seqs()).toEqual([1, 1, 2, 2, 3]);
      expect(peer.receiver.pollTimeout(), 'there is nothing to wait for').toBeNull();
      expect(peer.receiver.heldBytes).toBe(0);
      expect(peer.receiver.wantsKey).toBe(false);
    }
  });

  test('what comes in any order is put back into that of its numbers', () => {
    const peer = new Peer();
    peer.takes(picture(3, 1), picture(2, 1), picture(5, 1));
    expect(peer.seqs()).toEqual([]);
    peer.takes(key(1));
    expect(peer.seqs()).toEqual([1, 2, 3]);
    peer.takes(picture(4, 1));
    expect(peer.seqs()).toEqual([4, 5]);
    expect(peer.receiver.counts).toMatchObject({ videoReceived: 5, videoLost: 0, videoSeqMax: 5 });
  });

  test('kinds do not wait for each other', () => {
    const peer = new Peer();
    peer.takes(picture(2, 1), sound(1), sound(2));
    expect(peer.seqs(), 'sound goes on while pictures wait').toEqual([1, 2]);
  });

  test('what comes twice is handed out once', () => {
    const peer = new Peer();
    peer.takes(sound(2), sound(2), sound(1), sound(1));
    expect(peer.seqs()).toEqual([1, 2]);
    expect(peer.receiver.counts.audioReceived).toBe(2);
  });

  test('time is unwrapped over all kinds', () => {
    const peer = new Peer();
    const at = (timestamp: number, header: Header) => ({ ...header, timestamp });
    peer.takes(at(0xfffffff6, key(1)), at(0xffffffff, sound(1)), at(10, picture(2, 1)));
    expect(peer.handedOut().map((a) => a.dts)).toEqual([0xfffffff6, 0xffffffff, 0x1_0000_000a]);
  });
});

describe('holes', () => {
  test('sound goes on without what is missing when patience is over', () => {
    const peer = new Peer();
    peer.takes(sound(1), sound(3), sound(4));
    peer.at(PATIENCE - 1);
    expect(peer.seqs()).toEqual([1]);
    peer.at(PATIENCE);
    expect(peer.seqs()).toEqual([3, 4]);
    expect(peer.receiver.counts.audioLost).toBe(1);
    peer.takes(sound(2));
    expect(peer.seqs(), 'too late').toEqual([]);
  });

  test('holes that follow each other are waited for side by side', () => {
    const peer = new Peer();
    let slowest = 0;
    // Every other message never comes.
    for (let n = 0; n < 200; n++) {
      peer.at(n * 40);
      peer.takes(sound(2 * n + 1));
      slowest = Math.max(slowest, ...peer.handedOut().map((a) => peer.ms - a.came));
    }
    expect(slowest).toBeLessThanOrEqual(PATIENCE + 40);
  });

  test('sound that is repaired in time loses nothing', () => {
    const peer = new Peer();
    peer.takes(sound(1), sound(3));
    peer.at(PATIENCE - 1);
    peer.takes(sound(2));
    peer.at(10 * PATIENCE);
    expect(peer.seqs()).toEqual([1, 2, 3]);
    expect(peer.receiver.counts.audioLost).toBe(0);
  });

  test('pictures stand still until the next key frame is whole', () => {
    const peer = new Peer();
    peer.takes(key(1), picture(2, 1), picture(4, 1));
    peer.at(5 * PATIENCE);
    expect(peer.seqs(), '4 cannot be decoded without 3').toEqual([1, 2]);
    peer.takes(key(6));
    const came = peer.handedOut();
    expect(
      came.map((a) => [a.seq, a.flags.start]),
      'the decoder begins anew',
    ).toEqual([[6, true]]);
    expect(peer.receiver.counts).toMatchObject({ videoLost: 2, videoUndecodable: 1, jumps: 1 });
    peer.takes(picture(3, 1), picture(5, 1), picture(7, 6));
    expect(peer.seqs()).toEqual([7]);
  });

  test('pictures do not jump before patience is over', () => {
    const peer = new Peer();
    peer.takes(key(1), picture(3, 1), key(4));
    peer.at(PATIENCE - 1);
    expect(peer.seqs()).toEqual([1]);
    peer.at(PATIENCE);
    expect(peer.seqs()).toEqual([4]);
  });

  test('a repair before the jump brings everything back', () => {
    const peer = new Peer();
    peer.takes(key(1), picture(3, 1), picture(4, 1));
    peer.at(15 * PATIENCE);
    peer.takes(picture(2, 1));
    expect(peer.seqs()).toEqual([1, 2, 3, 4]);
    expect(peer.receiver.counts).toMatchObject({ videoLost: 0, videoUndecodable: 0, jumps: 0 });
  });

  test('a key frame that begins anew is not kept waiting', () => {
    const peer = new Peer();
    peer.takes(key(1), picture(2, 1), start(5), picture(6, 5));
    expect(peer.seqs(), 'its sender has given up what is missing').toEqual([1, 2, 5, 6]);
    expect(peer.receiver.counts.videoLost).toBe(2);
  });

  test('a still picture of two seconds is not brought back', () => {
    const peer = new Peer();
    peer.takes(key(1), picture(3, 1));
    peer.at(1999);
    expect(peer.receiver.heldBytes).toBeGreaterThan(0);
    peer.at(2000);
    expect(peer.seqs()).toEqual([1]);
    expect(peer.receiver.wantsKey).toBe(true);
    expect(peer.receiver.heldBytes).toBe(0);
    peer.takes(picture(4, 1), key(5));
    expect(peer.seqs()).toEqual([5]);
    expect(peer.receiver.wantsKey).toBe(false);
  });

  test('data goes on without what is missing', () => {
    const peer = new Peer();
    const data = (seq: number): Header => ({ ...sound(seq), kind: Kind.Data });
    peer.takes(data(1), data(3));
    peer.at(PATIENCE);
    expect(peer.seqs()).toEqual([1, 3]);
  });
});

describe('a decoder that conceals', () => {
  test('goes on without what is missing', () => {
    const peer = new Peer(true);
    peer.takes(key(1), picture(3, 1), picture(4, 1));
    peer.at(PATIENCE);
    expect(peer.seqs()).toEqual([1, 3, 4]);
    expect(peer.receiver.wantsKey).toBe(false);
    expect(peer.receiver.counts.videoLost).toBe(1);
  });

  test('waits for a key frame that is missing, because nothing conceals it', () => {
    const peer = new Peer(true);
    peer.takes(key(1), picture(2, 1), picture(4, 3), picture(5, 3));
    peer.at(10 * PATIENCE);
    expect(peer.seqs(), '4 and 5 refer to what is not there').toEqual([1, 2]);
    peer.takes(key(3));
    expect(peer.seqs()).toEqual([3, 4, 5]);
    expect(peer.receiver.counts.videoLost).toBe(0);
  });

  test.each([true, false])('wants a key frame that never came anew (reset: %s)', (reset) => {
    const peer = new Peer(true);
    peer.takes(key(1), picture(2, 1));
    if (reset) peer.loses(key(3));
    peer.takes(picture(4, 3), picture(5, 3));
    peer.at(2000);
    expect(peer.seqs()).toEqual([1, 2]);
    expect(peer.receiver.wantsKey).toBe(true);
    peer.takes(key(6), picture(7, 6));
    expect(peer.seqs()).toEqual([6, 7]);
    expect(peer.receiver.wantsKey).toBe(false);
  });
});

describe('what is disposable or was given up', () => {
  test('disposable pictures that are missing are missed by nobody', () => {
    const peer = new Peer();
    peer.takes(key(1), after(2, picture(4, 1)), picture(5, 1));
    expect(peer.seqs(), 'they may still come').toEqual([1]);
    peer.at(PATIENCE);
    expect(peer.seqs()).toEqual([4, 5]);
    peer.takes(after(1, key(7)), after(3, picture(11, 7)));
    peer.at(3 * PATIENCE);
    expect(peer.seqs()).toEqual([7, 11]);
    expect(peer.receiver.counts).toMatchObject({ jumps: 0, videoUndecodable: 0, videoLost: 6 });
  });

  test('one missing picture more than those that were disposable is missed', () => {
    const peer = new Peer();
    peer.takes(key(1), after(1, picture(4, 1)));
    peer.at(PATIENCE);
    expect(peer.seqs()).toEqual([1]);
    peer.takes(key(5));
    expect(peer.seqs()).toEqual([5]);
  });

  test('what its sender has given up is not waited for', () => {
    const peer = new Peer();
    peer.takes(sound(1), sound(3));
    peer.loses(sound(2));
    expect(peer.seqs()).toEqual([1, 3]);
    peer.takes(key(1), picture(3, 1));
    peer.loses(disposable(2, 1));
    expect(peer.seqs()).toEqual([1, 3]);
    peer.loses(picture(4, 1));
    peer.takes(picture(5, 1));
    expect(peer.receiver.wantsKey, '5 needs 4').toBe(true);
    peer.takes(key(6));
    expect(peer.seqs()).toEqual([6]);
  });

  test('what was reset may have come whole before or after', () => {
    const peer = new Peer();
    peer.takes(sound(2));
    peer.loses(sound(2));
    peer.loses(sound(3));
    peer.takes(sound(3), sound(1));
    expect(peer.seqs()).toEqual([1, 2, 3]);
  });

  test('sound behind what was given up is still waited for', () => {
    const peer = new Peer();
    peer.takes(sound(1), sound(4));
    peer.loses(sound(2));
    peer.at(PATIENCE - 1);
    peer.takes(sound(3));
    expect(peer.seqs()).toEqual([1, 3, 4]);
    expect(peer.receiver.counts.audioLost).toBe(1);
  });

  test('a key frame behind what was given up is still waited for', () => {
    // The rest of a GOP is superseded; the next key frame is long, and what follows it is short.
    for (const conceal of [false, true]) {
      for (const resetIsFirst of [true, false]) {
        const peer = new Peer(conceal);
        peer.takes(key(1), picture(2, 1));
        if (resetIsFirst) peer.loses(picture(3, 1));
        peer.takes(picture(5, 4), picture(6, 4));
        if (!resetIsFirst) peer.loses(picture(3, 1));
        peer.at(PATIENCE - 1);
        peer.takes(start(4));
        expect(peer.seqs(), `${conceal} ${resetIsFirst}`).toEqual([1, 2, 4, 5, 6]);
        expect(peer.receiver.counts.videoUndecodable).toBe(0);
      }
    }
  });

  test('a picture behind a disposable one that was given up is missed', () => {
    const peer = new Peer();
    peer.takes(key(1), picture(4, 1));
    peer.loses(disposable(2, 1));
    expect(peer.seqs(), '3 is what 4 refers to').toEqual([1]);
    peer.at(PATIENCE - 1);
    peer.takes(after(1, picture(3, 1)));
    expect(peer.seqs()).toEqual([3, 4]);
  });

  test('disposable pictures may be missing and given up in one run', () => {
    const peer = new Peer();
    peer.takes(key(1), after(2, picture(4, 1)));
    peer.loses(disposable(3, 1));
    peer.at(PATIENCE);
    expect(peer.seqs()).toEqual([1, 4]);
  });
});

describe('configuration', () => {
  test('is handed out right before the first frame that needs it', () => {
    const peer = new Peer();
    peer.learns(Kind.Video, 1);
    peer.learns(Kind.Video, 2);
    expect(peer.seqs()).toEqual([]);
    peer.takes(needing(1, key(1)), needing(1, picture(2, 1)));
    expect(peer.seqs()).toEqual([-1, 1, 2]);
    peer.takes(needing(2, key(4)));
    expect(peer.seqs()).toEqual([]);
    peer.takes(needing(1, picture(3, 1)));
    expect(peer.seqs()).toEqual([3, -2, 4]);
    peer.takes(needing(2, picture(5, 4)));
    expect(peer.seqs(), 'once').toEqual([5]);
  });

  test('metadata waits for nothing', () => {
    const peer = new Peer();
    peer.learns(Kind.Data, 1);
    expect(peer.seqs()).toEqual([-1]);
  });

  test('media that overtakes its configuration is held for half a second at most', () => {
    const peer = new Peer();
    peer.takes(needing(1, key(1)), needing(1, picture(2, 1)));
    peer.at(499);
    expect(peer.seqs()).toEqual([]);
    peer.learns(Kind.Video, 1);
    expect(peer.seqs()).toEqual([-1, 1, 2]);
  });

  test('media whose configuration never comes is let go of in its turn', () => {
    for (const conceal of [false, true]) {
      const peer = new Peer(conceal);
      for (let seq = 1; seq <= 25; seq++) {
        peer.at(seq * 40);
        peer.takes(needing(1, picture(seq, 1)), needing(1, sound(seq)));
      }
      // Those of the last half second are still held: 13 of either kind.
      expect(peer.receiver.heldBytes).toBeLessThanOrEqual(2 * 13 * 6);
      peer.at(1500);
      expect([peer.seqs(), peer.receiver.heldBytes]).toEqual([[], 0]);
      expect(peer.receiver.wantsKey).toBe(true);
      expect(peer.receiver.counts).toMatchObject({ videoLost: 25, audioLost: 25 });
      peer.learns(Kind.Video, 1);
      peer.takes(needing(1, picture(26, 1)), needing(1, key(27)));
      expect(peer.seqs()).toEqual([-1, 27]);
    }
  });

  test('generations go round', () => {
    const peer = new Peer();
    for (let n = 0; n < 513; n++) {
      const [seq, cfg] = [n + 1, (n % 255) + 1];
      peer.at(seq * 40);
      // Half of the time the picture is first.
      if (cfg % 2 === 0) {
        peer.takes(needing(cfg, key(seq)));
        expect(peer.seqs(), `${cfg} is not known yet`).toEqual([]);
        peer.learns(Kind.Video, cfg);
      } else {
        peer.learns(Kind.Video, cfg);
        peer.takes(needing(cfg, key(seq)));
      }
      expect(peer.seqs()).toEqual([-cfg, seq]);
    }
  });

  test.each([
    [0, 0, false],
    [1, 0, true],
    [1, 1, false],
    [2, 1, true],
    [1, 2, false],
    [1, 255, true],
    [255, 1, false],
  ])('what is to come is told from what has been: %i after %i', (needed, known, ahead) => {
    expect(isAhead(needed, known)).toBe(ahead);
  });

  test('a frame of an older generation is not kept waiting', () => {
    const peer = new Peer();
    peer.learns(Kind.Video, 255);
    peer.learns(Kind.Video, 1);
    peer.takes(needing(255, key(1)), needing(1, key(2)));
    expect(peer.seqs()).toEqual([-255, 1, -1, 2]);
  });
});

describe('lies of a server', () => {
  test('numbers far ahead, and too many tracks or configurations', () => {
    const peer = new Peer();
    expect(() => peer.takes(sound(30_002))).toThrow('too far ahead');
    for (let cfg = 1; cfg <= 32; cfg++) peer.learns(Kind.Video, cfg);
    expect(() => peer.learns(Kind.Video, 33)).toThrow('too many configurations');
    for (let track = 1; track <= 14; track++) peer.takes({ ...sound(1), track });
    expect(() => peer.takes({ ...sound(1), track: 15 })).toThrow('too many tracks');
  });

  test('holes on purpose keep a bounded number of messages, and of bytes', () => {
    const many = new Peer();
    for (let seq = 2; seq < 20_000; seq += 2) many.takes(picture(seq, 1));
    expect(many.receiver.heldBytes).toBeLessThanOrEqual(4096 * 6);
    const large = new Peer(false, 1 << 20);
    const body = new Uint8Array(1 << 20);
    for (let seq = 2; seq < 100; seq += 2) large.receiver.handleMedia(picture(seq, 1), body, 0);
    expect(large.receiver.heldBytes).toBeLessThanOrEqual(8 << 20);
    expect(large.receiver.wantsKey).toBe(true);
    large.takes(key(200));
    large.at(PATIENCE);
    expect(large.seqs(), 'and it plays on').toEqual([200]);
  });

  test('resets of what never comes keep no more than that either', () => {
    const peer = new Peer();
    for (let seq = 2; seq < 20_000; seq += 2) peer.loses(sound(seq));
    peer.takes(sound(20_001));
    peer.at(PATIENCE);
    expect(peer.seqs()).toEqual([20_001]);
  });
});
