# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash
# upstream.sh - source it first thing in a test with a router above natd that maps ports
#
# The router of "double-nat" runs the real miniupnpd. Its WAN has addresses that are global
# ones in earnest: of others miniupnpd says that they are no use, and natd that they are
# behind another NAT.
#
#	provider_up                  the topology, and the router without miniupnpd
#	miniupnpd_start [LINE...]    with LINEs added to its configuration
#	miniupnpd_kill               nothing of what it holds is taken back
#	miniupnpd_forget             what its rules are made of goes too
#	at_router                    what its rules hold: "tcp 8080 10.0.0.2:8080", sorted
set -euo pipefail

UNPACK=$(dirname "$(realpath "${BASH_SOURCE[0]}")")/../../netns-scripts/unpack
# program NAME PACKAGE FILE: sets NAME, where the box does not have it already
program()
{
	local path

	[ -z "${!1-}" ] || return 0
	if ! path=$("$UNPACK" "$2" "$3" 2>&1); then
		echo "SKIP: ${path##*$'\n'}"
		exit 77
	fi
	export "$1=$path"
}
program MINIUPNPD miniupnpd-nftables usr/sbin/miniupnpd
program UPNPC miniupnpc usr/bin/upnpc

# shellcheck source=../../netns-scripts/box.sh
. "$(dirname "${BASH_SOURCE[0]}")/../../netns-scripts/box.sh"

# shellcheck source=../../netns-scripts/router.sh
. "$NETNS_SCRIPTS/router.sh"

PROVIDER=$ROUTER_EXTERNAL
INTERNET=$ROUTER_INTERNET
MINIUPNPD_PID=''

dump_more()
{
	echo "---- miniupnpd's log"
	tail -n 60 /run/miniupnpd.log 2>/dev/null
	echo "---- upstream, by natctl"
	timeout 10 nsenter --net=/run/netns/gw -- "$NATCTL" status --json | jq -c .upstream
	timeout 10 nsenter --net=/run/netns/gw -- "$NATCTL" list --json | jq -c '.[] | [.name, .upstream]'
	echo "---- connections of the router's"
	router ss -tnpa 2>&1 | head -n 40
	gw ss -tnpa 2>&1 | head -n 40
}

provider_addresses() { router_address router "$1" || fail "the router cannot have $1"; }
provider_rules() { router_rules router || fail "the router's rules"; }

provider_up()
{
	up double-nat
	router_build || fail "the router is none that maps ports"
}

miniupnpd_start()
{
	router_config "$@" >/run/miniupnpd.conf
	start router "$MINIUPNPD" -d -f /run/miniupnpd.conf -P /run/miniupnpd.pid >>/run/miniupnpd.log 2>&1
	MINIUPNPD_PID=$PID
	wait_for 30 router_ready router || fail "miniupnpd does not start: $(tail -3 /run/miniupnpd.log)"
}

miniupnpd_kill()
{
	kill -KILL "$MINIUPNPD_PID"
	wait "$MINIUPNPD_PID" 2>/dev/null || true
}

# A miniupnpd that runs does not look at what becomes of its rules: kill it first.
miniupnpd_forget()
{
	router nft flush chain inet filter prerouting_miniupnpd
	router nft flush chain inet filter miniupnpd
}

at_router()
{
	router nft list chain inet filter prerouting_miniupnpd |
		sed -n 's/.* 0x6 th dport \([0-9]*\) dnat ip to \(.*\)/tcp \1 \2/p
			s/.* 0x11 th dport \([0-9]*\) dnat ip to \(.*\)/udp \1 \2/p' | sort
}

# router_has LINES: no more and no less
router_has() { [ "$(at_router)" = "$1" ]; }
await_router() { wait_for "${2:-100}" router_has "$1" || fail "wanted at the router: $1; is: $(at_router)"; }

# neighbour ARGS...: upnpc, another client of the router's, on the router itself
neighbour() { router "$UPNPC" -u http://10.0.0.1:5000/rootDesc.xml "$@"; }

# upstream NAME|ID JQ: of the one mapping that fits
upstream() { natctl list --json | jq -r --arg which "$1" '.[] | select(.name == $which or (.id | tostring) == $which).upstream'"$2"; }
upstream_is() { [ "$(upstream "$1" "$2")" = "$3" ]; }
await_upstream() { wait_for "${4:-100}" upstream_is "$1" "$2" "$3" || fail "$1: wanted $2 $3, is $(upstream "$1" '' | tr -d '\n')"; }

# verdict_is WORD, reason_has TEXT: of the first WAN
verdict_is() { status_is '.upstream.wans[0].verdict' "$1"; }
