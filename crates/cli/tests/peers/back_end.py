"""A back end as the vendor's customers have them since 2016: for another host and another key it changes nothing."""

import hashlib
import json
import sys
import time
import urllib.parse
import urllib.request

HOST, APPID, KEY = sys.argv[1:4]


def call(interface, **params):
    t = int(time.time()) + 60
    query = {
        "appid": APPID,
        "interface": interface,
        "t": t,
        "sign": hashlib.md5(f"{KEY}{t}".encode()).hexdigest(),
    }
    for name, value in params.items():
        kind = "n" if isinstance(value, int) else "s"
        query[f"Param.{kind}.{name}"] = value
    url = f"http://{HOST}/common_access?{urllib.parse.urlencode(query)}"
    with urllib.request.urlopen(url, timeout=10) as answer:
        return json.load(answer)


def wait_for(status):
    for _ in range(100):
        answer = call("Live_Channel_GetStatus", channel_id="room")
        if answer["ret"] == 0 and answer["output"][0]["status"] == status:
            return
        time.sleep(0.1)
    raise SystemExit(f"the stream never came to status {status}: {answer}")


wait_for(1)
live = call("Live_Channel_GetLiveChannelList")["output"]
assert live == {"all_count": 1, "channel_list": [{"channel_id": "room"}]}, live
pushed = call("Get_LivePushStat", page_no=1, page_size=10)["output"][0]
assert pushed["stream_count"] == 1 and pushed["stream_info"][0]["stream_name"] == "room", pushed
assert pushed["stream_info"][0]["client_ip"] == "127.0.0.1", pushed
print("listed", flush=True)

assert call("Live_Channel_SetStatus", channel_id="room", status=2)["ret"] == 0
print("dropped", flush=True)
# Its encoder comes back by itself.
wait_for(1)

assert call("channel_manager", channel_id="room", action="forbid", abstime_end=int(time.time()) + 3600)["ret"] == 0
wait_for(3)
print("forbidden", flush=True)

assert call("Live_Channel_SetStatus", channel_id="room", status=1)["ret"] == 0
wait_for(1)
print("allowed", flush=True)
assert call("Live_Channel_GetStatus", channel_id="nobody")["ret"] == 20601
