import { describe, expect, it } from 'vitest';
import { livePlace, type Page, parse, rtcPlace, withParameter } from '../src/url';

const PAGE: Page = { protocol: 'http:', host: 'live.example.com:8080', hostname: 'live.example.com' };
const SECURE: Page = { protocol: 'https:', host: 'www.example.com', hostname: 'www.example.com' };

describe('where a stream is, live', () => {
  for (const [name, src, page, origin, url] of [
    [
      'the page has the stream',
      'rtmp://live.example.com/live/a?txTime=1',
      PAGE,
      '',
      'http://live.example.com:8080/live/a.flv?txTime=1',
    ],
    ['another host has it', 'rtmp://play.example.com/live/a', PAGE, '', 'http://play.example.com/live/a.flv'],
    [
      "RTMP's port is not HTTP's",
      'rtmp://play.example.com:1936/live/a',
      SECURE,
      '',
      'https://play.example.com/live/a.flv',
    ],
    [
      'the server is given',
      'rtmp://play.example.com/live/a',
      PAGE,
      'http://127.0.0.1:8081/',
      'http://127.0.0.1:8081/live/a.flv',
    ],
    [
      'without its scheme',
      'rtmp://play.example.com/live/a',
      SECURE,
      'play.example.com:8443',
      'https://play.example.com:8443/live/a.flv',
    ],
    [
      'an app of two names',
      'rtmp://live.example.com/lesson/a/room',
      PAGE,
      '',
      'http://live.example.com:8080/lesson/a/room.flv',
    ],
    ['FLV twice', 'rtmp://live.example.com/live/a.flv?x=1', PAGE, '', 'http://live.example.com:8080/live/a.flv?x=1'],
    ['an address of IPv6', 'rtmp://[::1]:1935/live/a', PAGE, '', 'http://[::1]/live/a.flv'],
    [
      'it is FLV already',
      'https://cdn.example.com/live/a.flv?b=2#here',
      PAGE,
      'http://no',
      'https://cdn.example.com/live/a.flv?b=2',
    ],
  ] as const) {
    it(name, () => {
      const source = parse(src);
      expect(source && livePlace(source, page, origin)).toEqual({ transport: 'flv', url });
    });
  }

  it('comes by WebSocket where the URL says so', () => {
    const source = parse('wss://h/live/a.flv');
    expect(source && livePlace(source, PAGE)).toEqual({ transport: 'ws-flv', url: 'wss://h/live/a.flv' });
  });
});

describe('where a stream is, RTC', () => {
  for (const [name, src, page, want] of [
    [
      'a signed URL',
      ' rtmp://live.example.com:1936/live/a?bizid=1&txTime=2 ',
      PAGE,
      {
        origin: 'http://live.example.com:8080',
        tcUrl: 'rtmp://live.example.com:1936/live',
        app: 'live',
        name: 'a?bizid=1&txTime=2',
      },
    ],
    ['rtmps', 'rtmps://h/live/a', SECURE, { origin: 'https://h', tcUrl: 'rtmps://h/live', app: 'live', name: 'a' }],
    [
      'the same stream by its FLV',
      'http://h:8080/x/live/a.flv?s=1',
      PAGE,
      { origin: 'http://h:8080', tcUrl: 'rtmp://h/x/live', app: 'x/live', name: 'a?s=1' },
    ],
    [
      'by WebSocket',
      'wss://h/live/a.flv',
      PAGE,
      { origin: 'https://h', tcUrl: 'rtmp://h/live', app: 'live', name: 'a' },
    ],
  ] as const) {
    it(name, () => {
      const source = parse(src);
      expect(source && rtcPlace(source, page)).toEqual(want);
    });
  }
});

it('plays nothing that is no stream', () => {
  const bad = [
    '',
    'live/a',
    'rtmp://h',
    'rtmp://h/live',
    'rtmp://h/live/',
    'rtmp:///live/a',
    'ftp://h/live/a',
    'http://h/a.flv',
  ];
  const worse = [
    'javascript:alert(1)//live/a',
    'rtmp://user:word@h/live/a',
    'rtmp://h/li ve/a',
    'http://h/live/.flv',
    'http://h:x/live/a',
  ];
  for (const src of [...bad, ...worse]) expect(parse(src), src).toBeNull();
});

it('adds a parameter once', () => {
  expect(withParameter('http://h/a/b.flv', 'cache', '5')).toBe('http://h/a/b.flv?cache=5');
  expect(withParameter('http://h/a/b.flv?', 'cache', '5')).toBe('http://h/a/b.flv?cache=5');
  expect(withParameter('http://h/a/b.flv?x=1', 'cache', '5')).toBe('http://h/a/b.flv?x=1&cache=5');
  expect(withParameter('http://h/a/b.flv?cache=0', 'cache', '5')).toBe('http://h/a/b.flv?cache=0');
});
