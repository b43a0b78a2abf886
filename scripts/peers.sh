#!/bin/sh
# The foreign peers that the end-to-end tests need: installs what is missing, if it may, and prints
# what there is. Writes to target/peers what the tests leave out.
#
#   scripts/peers.sh                 a peer that is missing is an error that says what to install
#   SKIP_PEERS=1 scripts/peers.sh    ... is left out, and that is said
set -eu
cd "$(dirname "$0")/.."
mkdir -p target/peers

packages="ffmpeg curl rtmpdump nginx-light libnginx-mod-rtmp gstreamer1.0-tools
gstreamer1.0-plugins-base gstreamer1.0-plugins-good gstreamer1.0-plugins-bad
gstreamer1.0-plugins-ugly gstreamer1.0-libav openssl chromium chromium-driver libnss3-tools postgresql"
current=target/peers/ffmpeg-current
# The version is fixed, so that a test that fails here fails everywhere.
current_package=imageio-ffmpeg==0.8.1
schemathesis=target/peers/schemathesis
schemathesis_packages="schemathesis==4.32.1 hypothesis==6.170.15"

has_ffmpeg() { command -v ffmpeg >/dev/null && command -v ffprobe >/dev/null; }
has_curl() { command -v curl >/dev/null; }
has_rtmpdump() { command -v rtmpdump >/dev/null; }
has_nginx_rtmp() { command -v nginx >/dev/null && [ -e /usr/lib/nginx/modules/ngx_rtmp_module.so ]; }
has_gstreamer() {
    command -v gst-inspect-1.0 >/dev/null || return 1
    for element in flvmux flvdemux rtmp2sink rtmp2src rtmpsink rtmpsrc x264enc avenc_aac; do
        gst-inspect-1.0 "$element" >/dev/null 2>&1 || return 1
    done
}
has_tls() { has_ffmpeg && has_curl && command -v openssl >/dev/null; }
has_browser() {
    for program in chromium chromedriver certutil; do
        command -v "$program" >/dev/null || return 1
    done
}
has_old_back_end() { command -v python3 >/dev/null; }
# A database that another program has locked, and one on a disk of its own that is full.
has_outage() { command -v python3 >/dev/null; }
has_killed() { command -v python3 >/dev/null; }
has_schemathesis() { [ -e "$schemathesis/bin/st" ]; }
has_ffmpeg_current() { [ -x "$current" ]; }
# Not a peer of streams, but a database: scripts/postgres.sh starts a server of it for the tests.
has_postgres() {
    for initdb in /usr/lib/postgresql/*/bin/initdb /usr/pgsql-*/bin/initdb /usr/local/pgsql/bin/initdb; do
        [ ! -x "$initdb" ] || return 0
    done
    command -v initdb >/dev/null
}
# Not a peer, but a right, which no package gives: to make networks, for the lab.
has_networks() {
    command -v ip >/dev/null && [ -c /dev/net/tun ] && [ "$(id -u)" = 0 ] && unshare -n true 2>/dev/null
}
has_disks() { [ "$(id -u)" = 0 ] && unshare --mount sh -c 'mount -t tmpfs none /mnt' 2>/dev/null; }

# Debian's packages, when this is Debian and we may.
if ! { has_ffmpeg && has_curl && has_rtmpdump && has_nginx_rtmp && has_gstreamer && has_tls && has_browser &&
    has_postgres; }; then
    if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
        echo "installing from Debian:" $packages
        export DEBIAN_FRONTEND=noninteractive
        apt-get update -qq && apt-get install -y -qq --no-install-recommends $packages \
            >target/peers/apt.log 2>&1 || echo "that failed: see target/peers/apt.log"
    fi
fi

# A current ffmpeg is in a Python package; only the program is taken out of it.
if ! has_ffmpeg_current && command -v python3 >/dev/null; then
    echo "fetching a current ffmpeg (PyPI: $current_package)"
    python3 -m pip download -q --disable-pip-version-check --no-deps -d target/peers "$current_package" \
        >target/peers/pip.log 2>&1 || echo "that failed: see target/peers/pip.log"
    python3 - "$current" <<'END' || true
import glob, os, sys, zipfile
for wheel in glob.glob("target/peers/imageio_ffmpeg-*.whl"):
    with zipfile.ZipFile(wheel) as z:
        for name in z.namelist():
            if "/binaries/ffmpeg-" in name:
                with open(sys.argv[1], "wb") as out:
                    out.write(z.read(name))
                os.chmod(sys.argv[1], 0o755)
    os.remove(wheel)
END
fi

# What makes up requests from the API's document; beside the system's own packages, not among them.
if ! has_schemathesis && command -v python3 >/dev/null; then
    echo "installing from PyPI: $schemathesis_packages"
    python3 -m pip install -q --disable-pip-version-check --root-user-action ignore \
        --target "$schemathesis" $schemathesis_packages >target/peers/pip.log 2>&1 ||
        { echo "that failed: see target/peers/pip.log"; rm -rf "$schemathesis"; }
fi

first() { "$@" 2>&1 | head -n 1 | cut -c1-60; }
missing=""
# name of the test module, how to get it, how to ask its version
peer() {
    if "has_$1"; then
        printf '  %-16s %s\n' "$1" "$(eval "$3")"
    else
        missing="$missing $1"
        printf '  %-16s MISSING: %s\n' "$1" "$2"
    fi
}
echo "foreign peers:"
peer ffmpeg "apt-get install ffmpeg" 'first ffmpeg -version'
peer ffmpeg_current "pip download $current_package, its binary as $current" 'first $current -version'
peer gstreamer "apt-get install gstreamer1.0-tools gstreamer1.0-plugins-{base,good,bad,ugly} gstreamer1.0-libav" \
    'first gst-launch-1.0 --version'
peer rtmpdump "apt-get install rtmpdump" 'rtmpdump -h 2>&1 | grep -m1 -o "RTMPDump v[^ ]*"'
peer curl "apt-get install curl" 'first curl --version'
peer nginx_rtmp "apt-get install nginx-light libnginx-mod-rtmp" \
    'echo "$(nginx -v 2>&1 | sed "s/.*: //"), module $(dpkg-query -W -f "\${Version}" libnginx-mod-rtmp 2>/dev/null)"'

peer tls "apt-get install openssl (beside ffmpeg and curl)" 'first openssl version'
peer old_back_end "apt-get install python3" 'first python3 --version'
peer outage "apt-get install python3" 'first python3 --version'
peer killed "apt-get install python3" 'first python3 --version'
peer schemathesis "pip install --target $schemathesis $schemathesis_packages" \
    'first env PYTHONPATH=$schemathesis python3 $schemathesis/bin/st --version'
peer browser "apt-get install chromium chromium-driver libnss3-tools" 'chromium --version 2>/dev/null | cut -c1-60'
peer postgres "apt-get install postgresql" \
    'first "$(ls /usr/lib/postgresql/*/bin/initdb /usr/pgsql-*/bin/initdb 2>/dev/null | tail -n 1 || echo initdb)" --version'

skipped=""
for name in $missing; do
    # The store's tests are in another program.
    [ "$name" != postgres ] || continue
    skipped="$skipped${skipped:+ | }test(/^$name::/)"
done
filter="${skipped:+not (binary(peers) & ($skipped))}"
# What any peer wrote is judged by ffprobe.
case " $missing " in *" ffmpeg "*) filter="not binary(peers)" ;; esac
if ! has_postgres; then
    filter="${filter:+($filter) & }not (binary(store_contract) & test(/^postgres::/))"
fi
if has_networks; then
    echo "  networks         for the lab: can be made"
else
    echo "  networks         NOT TESTED: the lab makes none here (it takes root, ip, /dev/net/tun)"
    filter="${filter:+($filter) & }not (binary(lab) & test(/^in_networks_/))"
fi
if has_disks; then
    echo "  disks            of a test's own, to be full: can be mounted"
else
    echo "  disks            NOT TESTED: what happens when one is full (it takes root, and unshare)"
    filter="${filter:+($filter) & }not (binary(peers) & test(/^outage::on_a_full_disk/))"
fi
echo "${filter:-all()}" >target/peers/filter

if [ -n "$missing" ]; then
    if [ "${SKIP_PEERS:-}" = 1 ]; then
        echo "SKIP_PEERS=1: not tested with:$missing"
        case " $missing " in *" ffmpeg "*) echo "and with no other, for want of ffprobe" ;; esac
    else
        echo "missing:$missing. Install them as said above, or leave them out with SKIP_PEERS=1." >&2
        exit 1
    fi
fi
