// RTMP over UDP as a page speaks it: WebTransport, and nothing from anywhere else.
//
// The sections are those of docs/ref/rtmp-udp.md. All integers are big-endian.

"use strict";

export const AUDIO = 8, VIDEO = 9, DATA = 18;
export const COMMAND = 20;
export const REPORT = 0xf0, KEY_REQUEST = 0xf1, CLOCK_REQUEST = 0xf2, CLOCK_RESPONSE = 0xf3, SERVER_STAT = 0xf4;

// Section 1: where it is served, and which certificates are the server's own.
export async function discover(origin) {
  const answer = await fetch(new URL("/ull", origin), { credentials: "omit" });
  if (!answer.ok) throw new Error("/ull: " + answer.status);
  return answer.json();
}

// Sections 1 and 2: without a hash, the certificate is an operator's, and the browser judges it.
export function open(ull) {
  const host = ull.host.includes(":") ? `[${ull.host}]` : ull.host;
  const serverCertificateHashes = (ull.certSha256 || []).map((hex) => (
    { algorithm: "sha-256", value: Uint8Array.from(hex.match(/../g), (byte) => parseInt(byte, 16)) }
  ));
  return new WebTransport(`https://${host}:${ull.udpPort}${ull.path}`, { serverCertificateHashes });
}

// rtmp://HOST[:PORT]/APP/STREAM?SIGNATURE
function address(url) {
  const [, tcUrl, app, stream] = /^(rtmps?:\/\/[^/]+\/([^?]+))\/([^/?]+(?:\?.*)?)$/.exec(url);
  return { tcUrl, app, stream };
}

// Section 3: the one control stream.
export class Control {
  static async on(transport) {
    const { readable, writable } = await transport.createBidirectionalStream({ sendOrder: 1000 });
    return new Control(readable, writable);
  }

  constructor(readable, writable) {
    this.readable = readable;
    this.writer = writable.getWriter();
  }

  // All in one flight: the first media is one round trip behind the handshake.
  async ask(verb, url, wishes = {}) {
    const { tcUrl, app, stream } = address(url);
    await this.writer.write(PREAMBLE);
    await this.command("connect", 1, {
      app,
      tcUrl,
      flashVer: "a page",
      objectEncoding: 0,
      fourCcList: ["*"],
      capsEx: 1,
      ull: { ver: 1, targetMs: 300, start: "gop", conceal: false, ...wishes },
    });
    await this.command("createStream", 2, null);
    await this.command(verb, 0, null, stream, verb === "play" ? -2 : "live");
  }

  command(name, transaction, ...values) {
    return this.say(COMMAND, amf0([name, transaction, ...values]));
  }

  // | type | flags | track | cfg | timestamp:32 | length:32 | body |
  say(type, body = NOTHING, cfg = 0, timestamp = 0) {
    const message = new Uint8Array(12 + body.length), view = new DataView(message.buffer);
    message.set([type, cfg ? CONFIG : 0, 0, cfg]);
    view.setUint32(4, timestamp);
    view.setUint32(8, body.length);
    message.set(body, 12);
    return this.writer.write(message);
  }

  // What the server says, message by message, until it ends.
  async *messages() {
    let held = NOTHING, isGreeted = false;
    for await (const chunk of this.readable) {
      held = concat(held, chunk);
      if (!isGreeted && held.length >= PREAMBLE.length) {
        if (PREAMBLE.some((byte, at) => held[at] !== byte)) throw new Error("this is not RTMP over UDP");
        [isGreeted, held] = [true, held.slice(PREAMBLE.length)];
      }
      while (isGreeted && held.length >= 12) {
        const view = viewOf(held), end = 12 + view.getUint32(8);
        if (held.length < end) break;
        const [type, flags, track, cfg] = held, body = held.slice(12, end);
        yield { type, isConfig: (flags & CONFIG) !== 0, track, cfg, timestamp: view.getUint32(4), body };
        held = held.slice(end);
      }
    }
  }

  // Section 6: what a viewer tells twice a second.
  report({ highest, video, videoLost, audio, audioLost, kbit, buffer, delay, queue, freezes }) {
    const body = new DataView(new ArrayBuffer(32));
    [highest, video, videoLost, audio, audioLost, kbit].forEach((n, at) => body.setUint32(4 * at, n));
    [buffer, delay, queue, freezes].forEach((n, at) => body.setUint16(24 + 2 * at, Math.max(0, Math.min(n, 65535))));
    return this.say(REPORT, new Uint8Array(body.buffer));
  }

  // Section 6: our clock may begin anywhere; the answer compares it with the server's.
  askClock(id) {
    const body = new DataView(new ArrayBuffer(12));
    body.setUint32(0, id);
    body.setBigUint64(4, BigInt(Math.round(performance.now() * 1000)));
    return this.say(CLOCK_REQUEST, new Uint8Array(body.buffer));
  }
}

// Section 6: CLOCK_RESPONSE {id, t1, t2, t3}. `offset`: what to add to performance.now() to have the
// server's clock; all in ms.
export function clockOf({ body }) {
  const now = performance.now(), view = viewOf(body);
  const [asked, came, answered] = [4, 12, 20].map((at) => Number(view.getBigUint64(at)) / 1000);
  return { trip: now - asked - (answered - came), offset: (came + answered - asked - now) / 2 };
}

// Section 6: REPORT, as a publisher gets it.
export function reportOf({ body }) {
  const view = viewOf(body);
  return { highest: view.getUint32(0), received: view.getUint32(4), lost: view.getUint32(8) };
}

// Section 3: a command's name, transaction, and the rest.
export function commandOf({ body }) {
  const [name, transaction, ...values] = amf0Of(body);
  return { name, transaction, values };
}

// Section 4: one message's header.
export function encodeHeader({ kind, isKey, cfg, seq, gop, timestamp }) {
  const header = new Uint8Array(HEADER_BYTES), view = viewOf(header);
  header.set([kind, isKey ? KEY : 0, 0, cfg]);
  [seq, gop, timestamp].forEach((n, at) => view.setUint32(4 + 4 * at, n));
  return header;
}

function decodeMessage(bytes) {
  const view = viewOf(bytes), [kind, flags, track, cfg] = bytes;
  return {
    kind,
    isKey: (flags & KEY) !== 0,
    isDisposable: (flags & DISPOSABLE) !== 0,
    isStart: (flags & START) !== 0,
    isCatchup: (flags & CATCHUP) !== 0,
    afterDisposable: flags >> 6,
    track,
    cfg,
    seq: view.getUint32(4),
    gop: view.getUint32(8),
    timestamp: view.getUint32(12),
    // Of the server's clock, ms since 1970.
    ingest: flags & INGEST ? Number(view.getBigUint64(16)) / 1000 : null,
    body: bytes.slice(HEADER_BYTES),
  };
}

// Section 4: what one incoming stream brings: a message, which is whole when the stream ends, or the
// burst, whose messages are whole one by one.
export async function* mediaOf(stream) {
  let held = NOTHING;
  for await (const chunk of stream) {
    held = concat(held, chunk);
    if (held[0] !== BURST) continue;
    let at = 1;
    while (held.length >= at + 4) {
      const end = at + 4 + viewOf(held).getUint32(at);
      if (held.length < end) break;
      yield decodeMessage(held.slice(at + 4, end));
      at = end;
    }
    held = concat(held.slice(0, 1), held.slice(at));
  }
  if (held[0] !== BURST) yield decodeMessage(held);
}

// AMF0, as far as commands go.
function amf0(values) {
  const out = [];
  const text = (s) => {
    const bytes = new TextEncoder().encode(s);
    out.push(bytes.length >> 8, bytes.length & 255, ...bytes);
  };
  const put = (value) => {
    if (value === null) return out.push(5);
    if (Array.isArray(value)) {
      out.push(10, 0, 0, value.length >> 8, value.length & 255);
      return value.forEach(put);
    }
    switch (typeof value) {
      case "number": {
        const number = new DataView(new ArrayBuffer(8));
        number.setFloat64(0, value);
        return out.push(0, ...new Uint8Array(number.buffer));
      }
      case "boolean": return out.push(1, Number(value));
      case "string": out.push(2); return text(value);
      default:
        out.push(3);
        for (const [name, property] of Object.entries(value)) { text(name); put(property); }
        return out.push(0, 0, 9);
    }
  };
  values.forEach(put);
  return new Uint8Array(out);
}

function amf0Of(bytes) {
  const view = viewOf(bytes);
  let at = 0;
  const text = () => {
    const from = at + 2, end = from + view.getUint16(at);
    at = end;
    return new TextDecoder().decode(bytes.subarray(from, end));
  };
  const object = () => {
    const object = {};
    for (;;) {
      const name = text();
      if (name === "" && bytes[at] === 9) { at += 1; return object; }
      object[name] = take();
    }
  };
  const take = () => {
    switch (bytes[at++]) {
      case 0: at += 8; return view.getFloat64(at - 8);
      case 1: return bytes[at++] !== 0;
      case 2: return text();
      case 3: return object();
      case 5: case 6: return null;
      case 8: at += 4; return object();
      case 10: at += 4; return Array.from({ length: view.getUint32(at - 4) }, take);
      default: throw new Error("AMF0 of a kind that no command has");
    }
  };
  const values = [];
  while (at < bytes.length) values.push(take());
  return values;
}

export function concat(one, other) {
  const both = new Uint8Array(one.length + other.length);
  both.set(one);
  both.set(other, one.length);
  return both;
}

function viewOf(bytes) {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

const PREAMBLE = Uint8Array.of(0x52, 0x54, 0x4d, 0x55, 1, 0, 0, 0);
const NOTHING = new Uint8Array(0);
const CONFIG = 1 << 1;
const HEADER_BYTES = 24;
const BURST = 0x7f;
const KEY = 1 << 0, DISPOSABLE = 1 << 2, START = 1 << 3, CATCHUP = 1 << 4, INGEST = 1 << 5;
