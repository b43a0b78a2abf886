/** Words for what the server says by a code. tests/codes.test.ts compares the codes with the server's own lists. */
export const codes = {
  /** `error` of a refusal. Where a refusal to sign or to switch has a reason, its code is one of `reasons`. */
  errors: {
    'bad-request': 'The request is not right.', unauthorized: 'Nobody is logged in.', 'wrong-password': 'Login or password is wrong.', forbidden: 'Your role does not allow this.',
    'not-found': 'There is no such thing, or it belongs to another account.', conflict: 'Somebody changed this meanwhile. It has to be read again.', 'too-many': 'Too many requests. Try again later.',
    'foreign-site': 'A page of another site asked for this. Open the console at its own address.', 'method-not-allowed': 'These pages and the server do not fit together. Load the page anew.',
    store: 'The store does not work.', internal: 'Something went wrong in the server. Its log says what.',
  },
  /** Why a push or a play is refused. */
  reasons: {
    'auth-missing': 'The URL is not signed.', 'auth-malformed': 'The signature cannot be read.', 'auth-bad': 'The signature is wrong: another key, another stream name, or a changed character.',
    'auth-expired': 'The URL has expired.', 'auth-not-yet': 'The URL is not good yet.', 'auth-weak': 'The domain takes only the strong signature.',
    'wrong-action': 'The URL is signed for something else.', 'wrong-address': 'The URL is signed for a network that the asker is not in.', revoked: 'URLs made before a certain moment are revoked, and this one was.',
    'foreign-account': 'The stream’s name begins with the number of an account that this host does not belong to.', 'not-eligible': 'The gate does not admit the account’s category.',
    'service-closed': 'The service is not opened for this account.', 'pusher-off': 'The switch live-pusher is off for this account.', 'player-off': 'The switch live-player is off for this account.',
    'address-barred': 'The account’s list of addresses keeps the asker out.', 'referer-barred': 'The account’s list of pages keeps this page out.',
    'remote-refused': 'The account’s own back end was asked, and said no.', 'remote-unreachable': 'The account’s own back end was asked, and did not answer.',
    'reserved-app': 'This app name is reserved for the server’s own pages.', 'bad-name': 'The URL does not name a stream: it should end in /app/stream.', 'not-found': 'Nobody publishes this stream.',
    'in-use': 'The stream is in use.', barred: 'An operator forbade this stream for a time.', 'viewer-barred': 'An operator sent a viewer of this address away from this stream for a time.',
    'server-full': 'The server is full.', 'too-many': 'Too many connections from this address.', 'url-in-use': 'As many sessions as the URL allows are there already.',
    'viewer-limit': 'As many as may watch this stream over UDP are there already.', 'not-allowed': 'Nobody may watch this account’s streams over UDP.', stopping: 'The server is stopping.',
  },
  /** Why a publication ended, by the vendor's `errcode`. */
  ends: {
    1: 'the encoder ended it', 2: 'the encoder closed the stream', 3: 'the encoder closed the connection', 4: 'the connection failed', 7: 'a message was too long',
    101: 'the encoder broke the protocol', 102: 'the encoder fell silent, or sent no media', 103: 'a newer push took over', 104: 'the server was stopped', 105: 'the stream was gone',
    106: 'an operator sent it away', 107: 'the account may not publish any more', 108: 'the server stopped without saying goodbye', 109: 'the end was lost while the store did not work',
  },
  /** What the check of a URL looks at. */
  rules: { account: 'Whose host it is', standing: 'What the account may do', lists: 'The account’s lists', bizid: 'Its number', signature: 'Signature', remote: 'The account’s back end', udp: 'Over UDP', outcome: 'Result' },
  /** What an operator has to look after. */
  problems: {
    store: 'The store does not work', 'statistics-gap': 'Statistics or events were lost', 'callbacks-failing': 'Callbacks are failing', 'accounts-damaged': 'Accounts cannot be read',
  },
  /** What somebody did, in the audit log. */
  audit: {
    setup: 'First administrator made', 'session.begin': 'Logged in', 'session.refused': 'Login refused', 'session.password': 'Password changed',
    'user.add': 'User added', 'user.change': 'User changed', 'user.remove': 'User deleted', 'token.add': 'Token made', 'token.remove': 'Token deleted',
    'gate.set': 'Gate changed', 'account.add': 'Account made', 'account.change': 'Account changed', 'account.cut': 'Live connections cut', 'account.remove': 'Account deleted',
    'api-key.reveal': 'API key shown', 'api-key.rotate': 'API key replaced', 'domain.add': 'Domain added', 'domain.change': 'Domain changed', 'domain.remove': 'Domain removed',
    'domain.reveal': 'Domain keys shown', 'domain.rotate': 'Main key replaced', 'domain.drop-backup': 'Backup key dropped', 'urls.sign': 'Push URL made', 'urls.revoke': 'URLs revoked',
    'stream.drop': 'Publisher sent away', 'stream.forbid': 'Stream forbidden', 'stream.resume': 'Stream allowed again', 'viewer.kick': 'Viewer sent away', 'viewer.allow': 'Viewer let in again',
    'callback.retry': 'Callback tried again', 'old-api': 'Asked by the old API',
  },
};
