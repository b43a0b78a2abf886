/**
 * The server, and the only place that names it: where `thalweg demo` answers, without a slash at the end. WeChat
 * takes `https://` and a name from its list of request domains; without that, only while debugging.
 */
module.exports = { HOST: 'https://live.example.com' };
