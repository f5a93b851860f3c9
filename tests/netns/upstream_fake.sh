# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash
# upstream_fake.sh - source it first thing in a test with a router that speaks as it is told
#
# As upstream.sh, and beside or instead of miniupnpd there is tests/fake/router.py.
#
#	neighbour_up             a host on the link between natd and the router: 10.0.0.66
#	fake_start [OPTION...]   router.py, on $FAKE_HOST, $FAKE_ADDRESS
#	fake_says WORD           what it is to send unasked
#	fake_stop
# shellcheck source=upstream.sh
. "$(dirname "${BASH_SOURCE[0]}")/upstream.sh"

FAKE=$(dirname "$(realpath "${BASH_SOURCE[0]}")")/../fake/router.py
FAKE_HOST=router
FAKE_ADDRESS=10.0.0.1
FAKE_EXTERNAL=1.2.3.4 # what it says
FAKE_PID=''

neighbour_up()
{
	host other
	topology_build || fail "no other host"
	router ip link add link lan0 name to-other type macvlan mode bridge || skip "the kernel has no macvlan"
	router ip link set to-other netns /run/netns/other name eth0
	in_host other ip address add 10.0.0.66/24 dev eth0
	in_host other ip link set eth0 up
	in_host other ip route add default via 10.0.0.2
}

fake_start()
{
	rm -f /run/fake.in
	mkfifo /run/fake.in
	exec {FAKE_IN}<>/run/fake.in
	nsenter --net="/run/netns/$FAKE_HOST" -- "$FAKE" "$FAKE_ADDRESS" --other 10.0.0.66 "$@" \
		<&"$FAKE_IN" >/run/fake.log 2>&1 &
	FAKE_PID=$!
	wait_for 10 grep -qx ready /run/fake.log || fail "the router does not start: $(cat /run/fake.log)"
}

fake_says() { echo "$1" >&"$FAKE_IN"; }

fake_stop()
{
	kill -KILL "$FAKE_PID"
	wait "$FAKE_PID" 2>/dev/null || true
	exec {FAKE_IN}>&-
}
