#!/bin/sh
# Makes the test clock, clock.flv: 60 s that join at both ends. Needs ffmpeg with libx264, and DejaVu.
#
#   video  640x360, 25 frames a second, a key frame each second, no B-frames
#   sound  AAC, 32 kHz, so that a frame lasts exactly 32 ms and a minute has exactly 1875; a beep at
#          each second, a higher one at the full minute
#   bars   along the bottom: see docs/ref/clock.md
#
# Two minutes are encoded and the second is kept, so that the first frame of the loop was encoded
# after what is the last: picture and sound join without a click.
set -eu
cd "$(dirname "$0")"
font=${FONT:-/usr/share/fonts/truetype/dejavu/DejaVuSansMono-Bold.ttf}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

digits="fontfile=$font:fontcolor=0xE8F1F5"
time="%{eif\\:mod(floor(n/25)\\,60)\\:d\\:2}.%{eif\\:mod(n*4\\,100)\\:d\\:2}"
# Sixteen cells of 40 pixels: the number of the frame in the minute, high bit first; below them
# the same bits inverted.
bit='mod(floor(mod(N,1500)/pow(2,15-floor(X/40))),2)'
bars="geq=lum='16+219*if(lt(Y,20),$bit,1-$bit)':cb=128:cr=128"

ffmpeg -y -v error \
  -f lavfi -i "color=c=0x0B2A3A:size=640x320:rate=25" \
  -f lavfi -i "color=c=black:size=640x40:rate=25,format=yuv420p,$bars" \
  -f lavfi -i "color=c=0x2EC4B6:size=12x12:rate=25" \
  -f lavfi -i "aevalsrc=exprs='0.4*sin(2*PI*t*if(lt(mod(t,60),1),1760,880))*lt(mod(t,1),0.08)':s=32000:c=mono" \
  -filter_complex "[0]drawtext=$digits:fontsize=150:x=(w-tw)/2:y=84:text='$time',
     drawtext=$digits:fontsize=22:x=(w-tw)/2:y=30:text='THALWEG CLOCK',
     drawtext=$digits:fontsize=16:x=(w-tw)/2:y=262:text='seconds of the minute',
     drawbox=x=20:y=302:w=600:h=4:color=0x1B4B63:t=fill[face];
     [face][2]overlay=x='14+600*mod(n,1500)/1500':y=298:eval=frame[dial];
     [dial][1]vstack,format=yuv420p[v]" \
  -map '[v]' -map 3:a -t 121 \
  -c:v libx264 -profile:v main -preset veryslow -bf 0 -crf 18 \
  -x264-params "keyint=25:min-keyint=25:scenecut=0:rc-lookahead=25" \
  -c:a aac -b:a 48k -output_ts_offset 10 -f flv "$work/two.flv"

# Keeps the headers, and the tags of the second minute.
python3 - "$work/two.flv" clock.flv <<'END'
import sys
data = open(sys.argv[1], "rb").read()
at, out, first = 13, bytearray(b"FLV\x01\x05\0\0\0\x09\0\0\0\0"), 70_000
while at < len(data):
    size = int.from_bytes(data[at + 1:at + 4], "big")
    time = int.from_bytes(data[at + 7:at + 8] + data[at + 4:at + 7], "big")
    body = data[at + 11:at + 11 + size]
    header = data[at] == 18 or body[1] == 0
    if header or first <= time < first + 60_000:
        time = (0 if header else time - first).to_bytes(4, "big")
        out += data[at:at + 4] + time[1:] + time[:1] + b"\0\0\0" + body + data[at + 11 + size:at + 15 + size]
    at += 15 + size
open(sys.argv[2], "wb").write(out)
END
