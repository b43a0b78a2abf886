/** What the API says; docs/ref/api.md has the meaning. Moments are UNIX seconds. */

export type Role = 'read-only' | 'operator' | 'admin';
export type Subject = 'individual' | 'enterprise' | 'government';
export type Action = 'push' | 'play';
export type Rule = 'off' | 'only' | 'except';
export type Schemes = 'any' | 'strong';
export type Scheme = 'md5' | 'sha256' | 'strong';
export type Protocol = 'rtmp' | 'http-flv' | 'ws-flv' | 'rtmp-udp';
export type DeliveryState = 'pending' | 'delivered' | 'failed';

export interface SessionUser {
  login: string;
  role: Role;
  account: string | null;
}

export interface Session {
  user: SessionUser;
  version: string;
  public_host: string;
}

export interface User extends SessionUser {
  created: number;
  last_login: number | null;
}

export interface Token {
  id: number;
  name: string;
  role: Role;
  account: string | null;
  created: number;
  expires: number | null;
  last_used: number | null;
}

export interface Problem {
  code: string;
  message: string;
  since: number;
}

export type ByProtocol = Partial<Record<Protocol, number>>;

export interface Overview {
  streams: number;
  publishers: number;
  viewers: ByProtocol;
  bytes_in: number;
  bytes_out: number;
  accounts: number;
  forbidden: number;
  uptime_s: number;
  version: string;
  problems: Problem[];
}

export interface Title {
  en: string;
  zh: string;
}

export interface GateRow {
  main: string;
  title: Title;
  /** None: all of them. */
  subs: { id: string; title: Title }[];
  subjects: Subject[];
}

export interface Gate {
  mode: 'enforce' | 'off';
  preset: string | null;
  presets: { name: string; title: Title; rows: GateRow[] }[];
  rows: GateRow[];
}

export interface Category {
  main: string;
  sub?: string | null;
}

export interface Domain {
  number: number;
  action: Action;
  host: string | null;
  auth: boolean;
  validity_s: number;
  schemes: Schemes;
  main_hint: string;
  has_backup: boolean;
  rotated: number;
}

export interface Account {
  bizid: string;
  name: string;
  is_default: boolean;
  subject: Subject;
  category: Category;
  eligible: { admitted: boolean; message?: string };
  service: boolean;
  live_pusher: boolean;
  live_player: boolean;
  profile: 'strict' | 'vendor';
  udp: boolean;
  udp_viewers_max: number;
  old_api: boolean;
  addresses: { rule: Rule; networks: string[] };
  referers: { rule: Rule; allow_empty: boolean; patterns: string[] };
  callback: { url: string | null; anomalies: boolean; has_key: boolean };
  remote: { url: string | null; push: boolean; play: boolean; play_if_unreachable: boolean };
  revoked_before: number | null;
  revoked_streams: Record<string, number>;
  domains: Domain[];
  created: number;
  version: number;
}

export interface AccountChange {
  name?: string;
  subject?: Subject;
  category?: Category;
  service?: boolean;
  live_pusher?: boolean;
  live_player?: boolean;
  profile?: 'strict' | 'vendor';
  udp?: boolean;
  udp_viewers_max?: number;
  old_api?: boolean;
  addresses?: Account['addresses'];
  referers?: Account['referers'];
  callback?: { url?: string | null; anomalies?: boolean; key?: string | null };
  remote?: Account['remote'];
  cut?: boolean;
}

export interface Signed {
  account: string;
  app: string;
  name: string;
  expires: number;
  push?: { rtmp: string | null; rtmps: string | null; ws?: string | null; wss?: string | null; server: string; key: string; until?: number } | null;
  play?: {
    rtmp: string | null;
    flv: string | null;
    ws: string | null;
    rtc: string | null;
    rtmps: string | null;
    https_flv: string | null;
    wss: string | null;
    /** Whether the domain asks for a signature. */
    must_sign?: boolean;
  } | null;
  notes: string[];
}

export interface Checked {
  accepted: boolean;
  reason: string | null;
  message: string | null;
  action: string;
  findings: { rule: string; verdict: 'ok' | 'wrong' | 'note'; words: string }[];
}

export interface Stream {
  account: string;
  app: string;
  name: string;
  live: boolean;
  publisher: { address: string; agent: string | null; epoch: number; uptime_s: number; silent_ms: number } | null;
  video: {
    codec: string | null;
    profile: string | null;
    level: number | null;
    width: number | null;
    height: number | null;
    fps: number;
    bits_per_s: number;
    gop_ms: number | null;
  } | null;
  audio: {
    codec: string | null;
    profile: string | null;
    sample_rate: number | null;
    channels: number | null;
    bits_per_s: number;
  } | null;
  viewers: ByProtocol;
  bytes_in: number;
  bytes_out: ByProtocol;
  jumps: number;
  frames_skipped: number;
  log: { bytes: number; frames: number; ms: number } | null;
  forbidden?: { until: number; reason: string } | null;
  seconds?: Second[];
}

export interface Second {
  at: number;
  video_bits: number;
  audio_bits: number;
  fps: number;
  /** For how long nothing had come; null while nobody publishes. */
  gap_ms: number | null;
  viewers: number;
}

export interface Forbidden {
  account: string;
  app: string;
  name: string;
  until: number;
  reason: string;
}

export interface Publication {
  sequence: string;
  account: string;
  app: string;
  name: string;
  peer: string;
  agent: string;
  protocol: string;
  began: number;
  ended: number | null;
  errcode: number | null;
  cause: string | null;
  bytes_in: number | null;
  params: string;
}

export interface Viewer {
  id: string | number;
  account: string;
  app: string;
  name: string;
  peer: string;
  agent: string | null;
  protocol: Protocol;
  since: number;
  bytes: number;
}

export interface Delivery {
  id: number;
  account: string;
  event: number;
  stream: string;
  state: DeliveryState;
  tries: number;
  due: number;
  outcome: string;
  made: number;
  body?: unknown;
}

export interface Point {
  at: number;
  bytes_in: number;
  bytes_out: number;
  viewers_max: number;
  streams_max: number;
  gap: boolean;
}

export interface Audit {
  id: number;
  at: number;
  who: string;
  peer: string;
  account: string | null;
  what: string;
  detail: string;
}
