# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash
# box.sh - source it first thing in a topology test
#
# The script goes on as process 1 of a box of its own (see lib.sh). Then it speaks in
# roles: wan CMD, gw CMD, lan CMD and so on run CMD on that host; a word with _start at
# its end runs it in the background and sets PID.
#
#	up TOPOLOGY               stands it up; the roles are wan, gw, lan and lan2, guest in
#	                          "two-lans", router in "double-nat" and "two-wan"
#	home_up                   "up home"
#	start_natd [LINE...]      with LINEs added to its configuration
#	natctl ARGS...            on the gateway
#	fail TEXT  pass TEXT  skip TEXT
#
# What a test says on stdout are its steps; fail shows all that the gateway knows.
set -euo pipefail

# shellcheck source=lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

if [ "${IN_BOX-}" != "$0" ]; then
	box_words
	NATD=$(find_program natd natd) || die "no natd: set NATD"
	NATCTL=$(find_program natctl cli) || die "no natctl: set NATCTL"
	export NATD NATCTL
	IN_BOX=$0 exec "${BOX[@]}" "$0" "$@"
fi
unset IN_BOX

PEER=$NETNS_SCRIPTS/peer
NATD_PID=''
VERDICT=''
RECORDED=()
export NATD_SOCKET=/run/natd/api.sock

wan() { in_host wan "$@"; }
gw() { in_host gw "$@"; }
lan() { in_host lan "$@"; }
lan2() { in_host lan2 "$@"; }
guest() { in_host guest "$@"; }
router() { in_host router "$@"; }

# start HOST CMD...: in the background; PID is CMD's own, in the box
start()
{
	local netns=/run/netns/$1

	shift
	nsenter --net="$netns" -- "$@" </dev/null &
	PID=$!
}
wan_start() { start wan "$@"; }
gw_start() { start gw "$@"; }
lan_start() { start lan "$@"; }
lan2_start() { start lan2 "$@"; }
guest_start() { start guest "$@"; }
router_start() { start router "$@"; }

natctl() { gw "$NATCTL" "$@"; }

# ----------------------------------------------------------------------------- the end

dump()
{
	local section

	for section in 'nft list ruleset' 'conntrack -L' 'ip address' 'ip route' 'ip -6 route'; do
		echo "---- $section"
		# shellcheck disable=SC2086 # words
		gw $section 2>&1 || true
	done
	echo "---- who runs, and what they wait for"
	ps -eo pid,stat,wchan:24,args 2>&1 || true
	dump_more || true
	echo "---- natd's log"
	cat /run/natd.log 2>/dev/null || true
}

# What a library of tests has to show besides.
dump_more() { :; }

# The reason stands last too: the rest is long.
fail()
{
	VERDICT=fail
	echo "FAIL: $*" >&2
	[ ! -e /run/netns/gw ] || dump >&2
	echo "FAIL: $*" >&2
	exit 1
}

# natd is part of every test: it ends when told, with status 0, which under the address
# sanitizer also says that nothing leaked.
pass()
{
	stop_natd
	VERDICT=pass
	echo "PASS: $*"
	exit 0
}

skip()
{
	VERDICT=skip
	echo "SKIP: $*"
	exit 77
}

at_exit()
{
	local status=$?

	[ -z "$VERDICT" ] || return 0
	trap - EXIT
	[ "$status" != 0 ] || status=1
	VERDICT=fail
	echo "FAIL: the script ended by itself (status $status): ${FUNCNAME[*]:1} ${BASH_LINENO[*]}" >&2
	[ ! -e /run/netns/gw ] || dump >&2
	exit "$status"
}
trap at_exit EXIT

# expect WHAT WANTED GOT
expect() { [ "$2" = "$3" ] || fail "$1: wanted \"$2\", got \"$3\""; }

step() { echo "ok $*"; }

# -------------------------------------------------------------------------- the network

# up TOPOLOGY: a host is also what its role is called
up()
{
	box_mounts
	topology_up "$1" || fail "the topology \"$1\" does not come up"
	ln -s internet /run/netns/wan
	ln -s lan1 /run/netns/lan
	natd_state /run/state
}

home_up() { up home; }

# setting HOST NAME VALUE: a sysctl
setting()
{
	in_host "$1" sh -c "echo '$3' >/proc/sys/$2" || fail "setting $2 cannot be set to $3"
}

# -------------------------------------------------------------------------------- natd

# config [LINE...]: writes natd.conf
config() { natd_config "$@" >/run/natd.conf; }

# What clients and natd say to each other is written down where tests/run asks for it.
if [ -n "${NATD_TEST_TRANSCRIPT-}" ] && [ -n "${NATD_TEST_RECORDER-}" ]; then
	RECORDED=(env "LD_PRELOAD=$NATD_TEST_RECORDER"
		"ASAN_OPTIONS=${ASAN_OPTIONS-}:verify_asan_link_order=0")
fi

natd_here() { [ -n "$NATD_PID" ] && kill -0 "$NATD_PID" 2>/dev/null; }
natd_answers() { ! natd_here || natctl status >/dev/null 2>&1; }

start_natd()
{
	config "$@"
	start_natd_again
}

# start_natd_again: with the configuration that is there
start_natd_again()
{
	start gw "${RECORDED[@]}" "$NATD" --config /run/natd.conf --state /run/state --socket "$NATD_SOCKET" \
		>>/run/natd.log 2>&1
	NATD_PID=$PID
	wait_for 10 natd_answers || fail "natd does not answer"
	natd_here || fail "natd ended at its start"
}

stop_natd()
{
	local status=0

	[ -n "$NATD_PID" ] || return 0
	kill -TERM "$NATD_PID" 2>/dev/null || fail "natd was gone before the test ended"
	wait "$NATD_PID" || status=$?
	NATD_PID=''
	expect "natd's exit status" 0 "$status"
}

# refuses STATUS CMD...: CMD ends with STATUS; SAID is what it said
refuses()
{
	local wanted=$1 status=0

	shift
	SAID=$("$@" 2>&1) || status=$?
	[ "$status" = "$wanted" ] ||
		fail "$* ended with status $status, wanted $wanted, and said: $SAID"
}

# says WORDS: SAID contains them
says() { [[ $SAID == *"$1"* ]] || fail "wanted to hear \"$1\", heard: $SAID"; }

# api METHOD PATH [BODY [CURL-OPTION...]]: prints the HTTP status; the body: see body
api()
{
	local data=()

	[ -z "${3-}" ] || data=(--data-binary "$3")
	gw curl -s --unix-socket "$NATD_SOCKET" -X "$1" "${data[@]}" "${@:4}" \
		-o /run/body -w '%{http_code}' "http://natd$2"
}

# body FILTER: of the last answer, as jq says it
body() { jq -r "$1" /run/body; }

# status FILTER: of natd's status
status() { natctl status --json | jq -r "$1"; }
status_is() { [ "$(status "$1")" = "$2" ]; }

# log_says WORDS
log_says() { grep -qF -- "$1" /run/natd.log; }

# kernel_keeps: the kernel has tables that outlive their owner
kernel_keeps()
{
	local major minor

	IFS=. read -r major minor _ <<<"$(uname -r)"
	[ "$major" -gt 6 ] || { [ "$major" = 6 ] && [ "${minor%%[!0-9]*}" -ge 9 ]; }
}

# protection [owned|watched]: the line of natd.conf
protection()
{
	[ "${1-}" != owned ] || kernel_keeps || skip "this kernel knows no owned tables"
	echo "table-protection = ${1:-auto}"
}

kill_natd()
{
	kill -KILL "$NATD_PID"
	wait "$NATD_PID" 2>/dev/null || true
	NATD_PID=''
}

# --------------------------------------------------------------------------- the clients

# ready HOST tcp|udp PORT: somebody listens
ready() { [ -n "$(in_host "$1" ss -Hln"${2:0:1}" "sport = :$3")" ]; }

# serve HOST tcp|udp PORT [NAME]: answers every line "NAME heard LINE from ADDRESS PORT"
serve()
{
	start "$1" "$PEER" serve "$2" "$3" "${4:-$1}"
	wait_for 30 ready "$1" "$2" "$3" || fail "no server on $1, $2 $3"
}

# ask HOST tcp|udp ADDRESS PORT [OPTION...]: what came back
ask()
{
	in_host "$1" "$PEER" ask "$2" "$3" "$4" "${@:5}"
}

# answers HOST tcp|udp ADDRESS PORT NAME: NAME's server heard us, and we it
answers()
{
	local host=$1 name=$5 reply

	reply=$(ask "$host" "$2" "$3" "$4" 2>/dev/null) && [[ $reply == "$name heard "* ]]
}

# silent HOST tcp|udp ADDRESS PORT: nothing at all comes back; dropped, not refused
silent()
{
	local why

	why=$(ask "$1" "$2" "$3" "$4" --timeout 0.3 2>&1) && return 1
	[ "$why" = timeout ]
}

# closed HOST tcp|udp ADDRESS PORT: no answer, or a refusal
closed() { ! ask "$1" "$2" "$3" "$4" --timeout 0.3 >/dev/null 2>&1; }

# talk NAME HOST tcp|udp ADDRESS PORT [OPTION...]: opens a conversation, see say
declare -A TALK_IN=() TALK_OUT=()
talk()
{
	local in out

	mkfifo "/run/$1.in" "/run/$1.out"
	exec {in}<>"/run/$1.in" {out}<>"/run/$1.out"
	TALK_IN[$1]=$in TALK_OUT[$1]=$out
	nsenter --net="/run/netns/$2" -- "$PEER" talk "${@:3}" <&"$in" >&"$out" &
	PID=$!
}

# say NAME TEXT: prints what came back: an answer, "timeout", or "closed"
say()
{
	local reply

	echo "$2" >&"${TALK_IN[$1]}"
	read -r -t 5 reply <&"${TALK_OUT[$1]}" || reply="no word"
	echo "$reply"
}

# seen_by HOST tcp|udp ADDRESS PORT: the source address that the server saw
seen_by() { ask "$@" 2>/dev/null | sed 's/.* from //; s/ .*//'; }

# endpoint_seen_by HOST tcp|udp ADDRESS PORT: "ADDRESS PORT", the source that the server saw
endpoint_seen_by() { ask "$@" 2>/dev/null | sed 's/.* from //; s/ at .*//'; }
