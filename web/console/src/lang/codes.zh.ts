import type { codes as en } from './codes.en';
import type { Loose } from './speech';

export const codes: Loose<typeof en> = {
  errors: {
    'bad-request': '请求内容有误。', unauthorized: '尚未登录。', 'wrong-password': '用户名或密码错误。', forbidden: '你的角色不允许此操作。',
    'not-found': '不存在，或属于其他账号。', conflict: '有人在此期间修改过，需要重新读取。', 'too-many': '请求过于频繁，请稍后重试。',
    'foreign-site': '请求来自其他网站的页面。请从控制台自己的地址打开。', 'method-not-allowed': '页面与服务器版本不一致，请重新加载页面。',
    store: '存储不可用。', internal: '服务器内部出错，详情见其日志。',
  },
  reasons: {
    'auth-missing': '地址没有签名。', 'auth-malformed': '签名格式无法识别。', 'auth-bad': '签名不正确：密钥不同、流名称不同，或有字符被改动。',
    'auth-expired': '地址已过期。', 'auth-not-yet': '地址尚未生效。', 'auth-weak': '此域名只接受强签名。',
    'wrong-action': '地址是为其他用途签名的。', 'wrong-address': '地址只供特定网段使用，请求者不在其中。', revoked: '某一时刻之前生成的地址已被吊销，此地址在其中。',
    'foreign-account': '流名称以另一个账号的编号开头，而此域名不属于那个账号。', 'not-eligible': '该账号的类目不在准入范围内。',
    'service-closed': '该账号尚未开通服务。', 'pusher-off': '该账号的 live-pusher 开关已关闭。', 'player-off': '该账号的 live-player 开关已关闭。',
    'address-barred': '账号的 IP 名单不允许该地址。', 'referer-barred': '账号的 Referer 名单不允许该页面。',
    'remote-refused': '已询问账号自己的后台，被其拒绝。', 'remote-unreachable': '已询问账号自己的后台，但没有得到回答。',
    'reserved-app': '此应用名称由服务器自己的页面保留。', 'bad-name': '地址没有指明直播流：应以 /应用/流名称 结尾。', 'not-found': '当前无人推这路流。',
    'in-use': '这路流正在使用中。', barred: '管理人员已将这路流禁播一段时间。', 'viewer-barred': '管理人员已将此地址的一位观众从这路流踢出一段时间。',
    'server-full': '服务器已满。', 'too-many': '来自此地址的连接过多。', 'url-in-use': '使用此地址的会话数已达上限。',
    'viewer-limit': '这路流通过 UDP 观看的人数已达上限。', 'not-allowed': '该账号的流不允许通过 UDP 观看。', stopping: '服务器正在停止。',
  },
  ends: {
    1: '编码器结束推流', 2: '编码器关闭了流', 3: '编码器断开连接', 4: '连接中断', 7: '单个消息过长',
    101: '编码器违反协议', 102: '编码器长时间没有数据', 103: '被新的推流接替', 104: '服务器停止', 105: '流已不存在',
    106: '被管理人员断开', 107: '账号不再允许推流', 108: '服务器异常停止', 109: '存储不可用期间丢失了结束记录',
  },
  rules: { account: '所属账号', standing: '账号权限', lists: '账号名单', bizid: '账号编号', signature: '签名', remote: '账号后台', udp: '经 UDP', outcome: '结论' },
  problems: { store: '存储不可用', 'statistics-gap': '丢失了部分统计或事件', 'callbacks-failing': '回调持续失败', 'accounts-damaged': '有账号无法读取' },
  audit: {
    setup: '创建首位管理员', 'session.begin': '登录', 'session.refused': '登录被拒绝', 'session.password': '修改密码',
    'user.add': '新建用户', 'user.change': '修改用户', 'user.remove': '删除用户', 'token.add': '新建令牌', 'token.remove': '删除令牌',
    'gate.set': '修改类目准入', 'account.add': '新建账号', 'account.change': '修改账号', 'account.cut': '切断正在进行的连接', 'account.remove': '删除账号',
    'api-key.reveal': '查看 API 密钥', 'api-key.rotate': '更换 API 密钥', 'domain.add': '添加域名', 'domain.change': '修改域名', 'domain.remove': '移除域名',
    'domain.reveal': '查看域名密钥', 'domain.rotate': '更换主密钥', 'domain.drop-backup': '删除备用密钥', 'urls.sign': '生成推流地址', 'urls.revoke': '吊销地址',
    'stream.drop': '断开推流', 'stream.forbid': '禁播', 'stream.resume': '恢复推流', 'viewer.kick': '踢出观众', 'viewer.allow': '解除观众限制',
    'callback.retry': '重试回调', 'old-api': '旧版 API 调用',
  },
};
