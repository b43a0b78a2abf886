/**
 * The codes of `bindstatechange` in words: [Chinese, English]. The same number may mean something else of a push
 * than of a play, so there are two tables.
 */

/** @typedef {'zh' | 'en'} Language */
/** @typedef {Record<number, [string, string]>} Table */

/**
 * @param {Table} table
 * @param {number} code
 * @param {Language} language
 */
function describe(table, code, language) {
  const words = table[code] || ['没有说明的状态码', 'a code without an explanation'];
  return words[language === 'zh' ? 0 : 1];
}

/** @type {Table} What `<live-pusher>` says. */
const PUSH = {
  0: ['正常', 'no error'],
  1001: ['已连上推流服务器', 'connected to the server'],
  1002: ['握手完成，开始推流', 'the server takes the stream'],
  1003: ['摄像头已打开', 'the camera is open'],
  1004: ['录屏已开始', 'screen capture has begun'],
  1005: ['分辨率已调整', 'the picture has another size'],
  1006: ['码率已调整', 'the bitrate has changed'],
  1007: ['采到首帧画面', 'the first picture was captured'],
  1008: ['编码器已启动', 'the encoder runs'],
  1018: ['已进入房间', 'the room was entered'],
  1019: ['已退出房间', 'the room was left'],
  1020: ['房间成员列表有变化', 'the list of people in the room has changed'],
  1021: ['已重新进入房间', 'the room was entered again'],
  1022: ['进入房间失败', 'the room could not be entered'],
  1031: ['有人进入房间', 'somebody came into the room'],
  1032: ['有人离开房间', 'somebody left the room'],
  1033: ['对方的视频状态有变化', "somebody's picture was switched on or off"],
  1034: ['对方的音频状态有变化', "somebody's sound was switched on or off"],
  1101: ['上行网络太慢', 'the network up is too slow'],
  1102: ['连接断开，正在重连', 'the connection is lost, trying again'],
  1103: ['硬编码失败，改用软编码', 'the hardware encoder failed: software does it'],
  1104: ['编码失败，编码器重启', 'encoding failed, the encoder starts anew'],
  1107: ['负载过高，更换编码器', 'another encoder, because of the load'],
  3001: ['域名解析失败', "the server's name was not found"],
  3002: ['连不上服务器', 'no connection to the server'],
  3003: ['RTMP 握手失败', 'the RTMP handshake failed'],
  3004: [
    '服务器断开了连接：地址有误、已过期，或正被别人使用',
    'the server closed: the URL is wrong, expired, or in use',
  ],
  3005: ['数据收发失败', 'reading or writing failed'],
  4998: ['麦克风开关有变化', 'the microphone was switched'],
  4999: ['静音开关有变化', 'mute was switched'],
  5000: ['小程序被挂起', 'the mini-program was suspended'],
  5001: ['被电话或微信通话打断', 'a call interrupts'],
  10001: ['用户不允许使用摄像头', 'the camera is not allowed'],
  10002: ['用户不允许使用麦克风', 'the microphone is not allowed'],
  10003: ['背景音乐加载失败', 'the background music cannot be loaded'],
  10004: ['等待画面加载失败', 'the waiting picture cannot be loaded'],
  [-1301]: ['摄像头打不开', 'the camera does not open'],
  [-1302]: ['麦克风打不开', 'the microphone does not open'],
  [-1303]: ['视频编码失败', 'pictures cannot be encoded'],
  [-1304]: ['音频编码失败', 'sound cannot be encoded'],
  [-1305]: ['不支持的分辨率', 'the size of the picture is not supported'],
  [-1306]: ['不支持的采样率', 'the sample rate is not supported'],
  [-1307]: ['网络断开，多次重连无效', 'disconnected, and no try to come back succeeded'],
  [-1308]: ['用户不允许录屏', 'screen capture was denied'],
  [-1309]: ['系统版本太低，不能录屏', 'the system is too old for screen capture'],
  [-1310]: ['录屏被打断', 'screen capture was interrupted'],
  [-1311]: ['麦克风没有声音', 'the microphone is silent'],
  [-1312]: ['录屏时旋转失败', 'turning failed during screen capture'],
};

/** @type {Table} What `<live-player>` says. */
const PLAY = {
  2001: ['已连上服务器', 'connected to the server'],
  2002: ['开始收 RTMP 流', 'the stream begins'],
  2003: ['收到首个关键帧', 'the first key frame is here'],
  2004: ['开始播放', 'playing'],
  2005: ['播放进度', 'progress'],
  2006: ['播放结束', 'the stream has ended'],
  2007: ['缓冲中', 'loading'],
  2008: ['解码器已启动', 'the decoder runs'],
  2009: ['分辨率有变化', 'the picture has another size'],
  2012: ['收到流里的消息', 'a message in the stream'],
  2015: ['切换码流完成', 'another stream was taken up'],
  2030: ['音频设备有变化', 'another audio device'],
  2032: ['首帧已显示', 'the first picture is shown'],
  2101: ['视频帧解码失败', 'a picture cannot be decoded'],
  2102: ['音频帧解码失败', 'sound cannot be decoded'],
  2103: ['连接断开，正在重连', 'the connection is lost, trying again'],
  2104: ['数据来得不稳', 'data comes unevenly'],
  2105: ['播放卡顿', 'the picture stands still'],
  2106: ['硬解码失败，改用软解码', 'the hardware decoder failed: software does it'],
  2107: ['视频帧不连续', 'pictures are missing'],
  2108: ['首个关键帧硬解码失败，改用软解码', 'the hardware decoder failed at the first key frame: software does it'],
  3001: ['域名解析失败', "the server's name was not found"],
  3002: ['连不上服务器', 'no connection to the server'],
  3003: ['RTMP 握手失败', 'the RTMP handshake failed'],
  3004: [
    '服务器断开了连接：地址有误、已过期，或没有这条流',
    'the server closed: the URL is wrong or expired, or nobody publishes it',
  ],
  3005: ['数据收发失败', 'reading or writing failed'],
  [-2301]: ['网络断开，多次重连无效', 'disconnected, and no try to come back succeeded'],
  [-2302]: ['拿不到加速地址', 'there is no accelerated URL'],
  [-2303]: ['文件不存在', 'there is no such file'],
  [-2304]: ['H.265 解码失败', 'H.265 cannot be decoded'],
  [-2305]: ['HLS 密钥获取失败', 'the key of an HLS stream cannot be had'],
  [-2306]: ['点播信息获取失败', 'what is to be played cannot be looked up'],
};

module.exports = { describe, PUSH, PLAY };
