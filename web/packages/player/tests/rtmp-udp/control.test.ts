import { describe, expect, test } from 'vitest';
import {
  BODY_BYTES_MAX,
  ControlReader,
  config,
  decodeClockRequest,
  decodeClockResponse,
  decodeReport,
  decodeServerStat,
  encodeClockRequest,
  encodeClockResponse,
  encodeMessage,
  encodeReport,
  Kind,
  type Message,
  message,
  nextCfg,
  PREAMBLE,
  type Report,
  type ServerStat,
  Type,
} from '../../src/rtmp-udp/control';
import { bytesOf, everyCut, hex, joined } from '../bytes';

const REPORT: Report = {
  videoSeqMax: 0x01020304,
  videoReceived: 900,
  videoLost: 2,
  audioReceived: 1290,
  audioLost: 1,
  kbitPerS: 1900,
  bufferMs: 80,
  delayMs: 210,
  decodeQueue: 3,
  freezes: 1,
};
const STAT: ServerStat = {
  srttMs: 51,
  minRttMs: 50,
  window: 96_000,
  packetsLost: 5,
  framesDropped: 4,
  viewers: 10,
  gated: true,
};
const RESPONSE = { id: 7, asked: 0.001, came: 0x0006_0000_0000_0000 / 1000, answered: 0x0006_0000_0000_0064 / 1000 };

const MESSAGES: [name: string, message: Message, bytes: string][] = [
  ['a command', message(Type.Command, bytesOf('02 0004 6c697665')), '14000000 00000000 00000007 0200046c697665'],
  ["pictures' header", config(Kind.Video, 1, 40, bytesOf('17 00000000')), '09020001 00000028 00000005 1700000000'],
  [
    "sound's header of the last track at the end of time",
    config(Kind.Audio, 255, 0xffffffff, bytesOf('af00'), 255),
    '0802ffff ffffffff 00000002 af00',
  ],
  ['metadata', config(Kind.Data, 3, 0, bytesOf('020000')), '12020003 00000000 00000003 020000'],
  [
    'a report',
    encodeReport(REPORT),
    'f0000000 00000000 00000020 01020304 00000384 00000002 0000050a 00000001 0000076c 0050 00d2 0003 0001',
  ],
  ['a key request', message(Type.KeyRequest), 'f1000000 00000000 00000000'],
  ['a clock request', encodeClockRequest(7, 0.258), 'f2000000 00000000 0000000c 00000007 0000000000000102'],
  [
    'a clock response',
    encodeClockResponse(RESPONSE),
    'f3000000 00000000 0000001c 00000007 0000000000000001 0006000000000000 0006000000000064',
  ],
  [
    "a server's statistics",
    message(Type.ServerStat, bytesOf('0000c738 0000c350 00017700 00000005 00000004 000a 0001')),
    'f4000000 00000000 00000018 0000c738 0000c350 00017700 00000005 00000004 000a 0001',
  ],
  ['one of a type to come', message(0xfe, bytesOf('0102')), 'fe000000 00000000 00000002 0102'],
];

/** Everything that a reader makes of a control stream. */
function read(...parts: Uint8Array[]): Message[] {
  const reader = new ControlReader();
  return parts.flatMap((part) => [...reader.read(part)]);
}

describe('control messages', () => {
  test.each(MESSAGES)('%s, both ways', (_, message, bytes) => {
    const wire = bytesOf(bytes);
    expect(hex(encodeMessage(message))).toBe(hex(wire));
    expect(read(PREAMBLE, wire)).toEqual([message]);
    for (let n = 0; n < wire.length; n++) expect(read(PREAMBLE, wire.subarray(0, n))).toEqual([]);
  });

  test('a stream cut anywhere is the same stream', () => {
    const stream = joined(PREAMBLE, ...MESSAGES.map(([, , bytes]) => bytesOf(bytes)));
    const messages = MESSAGES.map(([, message]) => message);
    for (const parts of everyCut(stream)) expect(read(...parts)).toEqual(messages);
  });

  test('what is no RTMP over UDP, or no version that both know, is refused', () => {
    for (const bytes of ['474554202f204854', '52544d5500000000', '52544d5502000000']) {
      expect(() => read(bytesOf(bytes)), bytes).toThrow();
    }
    expect(read(bytesOf('52544d5501ffffff'), encodeMessage(message(0xf1))), 'flags are for later').toHaveLength(1);
  });

  test('the longest body is read; one byte more is refused before it comes', () => {
    const longest = message(Type.Command, new Uint8Array(BODY_BYTES_MAX).fill(5));
    expect(read(PREAMBLE, encodeMessage(longest))).toEqual([longest]);
    expect(() => read(PREAMBLE, bytesOf('14000000 00000000 00010001'))).toThrow('too long');
    expect(() => encodeMessage(message(Type.Command, new Uint8Array(BODY_BYTES_MAX + 1)))).toThrow(RangeError);
  });

  test('a reader that is asked for one message only keeps the rest', () => {
    const reader = new ControlReader();
    const [first] = reader.read(joined(PREAMBLE, encodeMessage(message(0xf1)), encodeMessage(message(0xfe))));
    const rest = [...reader.read(new Uint8Array(0))];
    expect([first, ...rest].map((m) => m?.type)).toEqual([0xf1, 0xfe]);
    expect(reader.heldBytes).toBe(0);
  });

  test('feedback says what was said, may be longer, and may not be shorter', () => {
    const bodies: [Uint8Array, (body: Uint8Array) => unknown, unknown][] = [
      [encodeReport(REPORT).body, decodeReport, REPORT],
      [bytesOf('0000c738 0000c350 00017700 00000005 00000004 000a 0001'), decodeServerStat, STAT],
      [encodeClockRequest(7, 0.258).body, decodeClockRequest, { id: 7, asked: 0.258 }],
      [encodeClockResponse(RESPONSE).body, decodeClockResponse, RESPONSE],
    ];
    for (const [body, decode, value] of bodies) {
      expect(decode(body)).toEqual(value);
      expect(decode(joined(body, bytesOf('ffffff')))).toEqual(value);
      for (let n = 0; n < body.length; n++) expect(() => decode(body.subarray(0, n))).toThrow('cut short');
    }
  });

  test('a report holds what does not fit', () => {
    const report = { ...REPORT, bufferMs: 70_000, delayMs: -3, decodeQueue: 1.4, freezes: 65_536 };
    expect(decodeReport(encodeReport(report).body)).toMatchObject({
      bufferMs: 65_535,
      delayMs: 0,
      decodeQueue: 1,
      freezes: 65_535,
    });
  });

  test('generations go round without zero', () => {
    const seen = [0];
    for (let n = 0; n < 600; n++) seen.push(nextCfg(seen.at(-1) ?? 0));
    expect([seen[1], seen[255], seen[256], seen[600]]).toEqual([1, 255, 1, 90]);
    expect(seen.slice(1)).not.toContain(0);
  });
});
