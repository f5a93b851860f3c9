# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash
# lib.sh - what lab, demo and the tests share: boxes, and networks inside them
#
# A box is a process with users, mounts, processes and networks of its own. Nothing that
# happens in it reaches the machine, two boxes never meet, and when its first process
# ends, in whatever way, the kernel takes the whole box away.
#
# A topology is a file of these words, carried out by topology_build:
#
#	host NAME...                    a network namespace each
#	wire HOST IF HOST IF            a cable between two hosts
#	bridge HOST IF                  a switch inside a host
#	plug HOST BRIDGE HOST2 IF       a cable from that switch to HOST2, called to-HOST2
#	attach HOST BRIDGE IF           an interface becomes a port of that switch
#	address HOST IF ADDRESS/LEN...
#	route HOST WORDS...             of "ip route add"
#	gateway HOST WAN LAN            where natd runs; interfaces, "a,b" for several
#	nat HOST WAN LAN KIND           a router without natd, see nat.sh
#
# Forwarding is switched on by natd, once its table is in force, and for a router by "nat".

NETNS_SCRIPTS=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
export NETNS_SCRIPTS
SOURCE_ROOT=$(dirname "$NETNS_SCRIPTS")

# shellcheck source=nat.sh
. "$NETNS_SCRIPTS/nat.sh"

die()
{
	echo "${0##*/}: $*" >&2
	exit 1
}

# uptime_cs NAME: hundredths of a second since the machine was started, which no setting of
# the clock changes
uptime_cs()
{
	local seconds rest

	IFS='. ' read -r seconds rest _ </proc/uptime
	printf -v "$1" %s $((seconds * 100 + 10#$rest))
}

# wait_for SECONDS CMD...: until CMD succeeds; never "sleep and hope". A machine that stood
# still meanwhile, or CMD with it, has waited for two seconds and no more. To ask costs
# processes: what is long in coming is asked for less often, each quarter of a second at last.
wait_for()
{
	local left=$(($1 * 100)) before now step waited=0 pause

	shift
	uptime_cs before
	until "$@"; do
		uptime_cs now
		step=$((now - before))
		step=$((step < 200 ? step : 200))
		left=$((left - step))
		waited=$((waited + step))
		[ "$left" -gt 0 ] || return 1
		before=$now
		pause=$((waited < 20 ? 2 : waited > 250 ? 25 : waited / 10))
		printf -v pause '0.%02d' $pause
		sleep "$pause"
	done
}

# ------------------------------------------------------------------------------ boxes

# box_words: sets BOX, the command that starts another one in a box, and BOX_KIND
#
# A user namespace is preferred for root too: what is in it cannot harm the machine.
# NATD_BOX=root goes without.
box_words()
{
	BOX=(unshare --mount --net --pid --fork --kill-child --mount-proc)
	if [ "${NATD_BOX-}" != root ] &&
		unshare --user --map-root-user --net ip link set lo up 2>/dev/null; then
		BOX+=(--user --map-root-user)
		BOX_KIND=user
	elif [ "$(id -u)" = 0 ]; then
		BOX_KIND=root
	else
		die "this machine allows no user namespaces; run it as root"
	fi
	export BOX_KIND
}

# box_mounts: called once inside; the machine's natd, where there is one, is out of sight
box_mounts()
{
	local dir

	mount -t tmpfs -o mode=755 tmpfs /run
	mkdir -p /run/netns /run/natd /run/lab/bin
	for dir in /var/lib/natd /etc/natd; do
		[ ! -d "$dir" ] || mount -t tmpfs -o mode=755 tmpfs "$dir"
	done
	ip link set lo up
}

# in_host HOST CMD...: from inside the box
in_host()
{
	local netns=/run/netns/$1

	shift
	nsenter --net="$netns" -- "$@"
}

# ------------------------------------------------------------------------- topologies

declare -ga HOSTS=()
declare -ga NEW_HOSTS=()
declare -g LINKS=''
declare -gA SETTINGS=()
declare -ga ROUTERS=()
declare -g GATEWAY='' GATEWAY_WAN='' GATEWAY_LAN=''

host()
{
	HOSTS+=("$@")
	NEW_HOSTS+=("$@")
}

wire()
{
	LINKS+="link add $2 netns $1 type veth peer name $4 netns $3"$'\n'
	SETTINGS[$1]+="link set $2 up"$'\n'
	SETTINGS[$3]+="link set $4 up"$'\n'
}

bridge()
{
	SETTINGS[$1]+="link add $2 type bridge"$'\n'"link set $2 up"$'\n'
}

plug()
{
	wire "$1" "to-$3" "$3" "$4"
	attach "$1" "$2" "to-$3"
}

attach()
{
	SETTINGS[$1]+="link set $3 master $2"$'\n'
}

address()
{
	local host=$1 if=$2 address

	shift 2
	for address; do
		# "optimistic" and tentative addresses answer nobody for a second
		case $address in *:*) address+=" nodad" ;; esac
		SETTINGS[$host]+="addr add $address dev $if"$'\n'
	done
}

route()
{
	local host=$1

	shift
	SETTINGS[$host]+="route add $*"$'\n'
}

# shellcheck disable=SC2034 # for lab
gateway()
{
	GATEWAY=$1
	GATEWAY_WAN=$2
	GATEWAY_LAN=$3
}

nat() { ROUTERS+=("$*"); }

# As a machine is when its power comes on, whatever the one we run on passes to new
# namespaces (docker switches forwarding on), and without duplicate address detection.
host_settings()
{
	local name

	ip netns add "$1"
	# shellcheck disable=SC2016 # for the inner shell
	in_host "$1" sh -c 'for setting; do echo "${setting#*=}" >"/proc/sys/${setting%=*}"; done' \
		sh net/ipv4/ip_forward=0 net/ipv6/conf/all/forwarding=0 \
		net/ipv6/conf/all/accept_dad=0 net/ipv6/conf/default/accept_dad=0
	SETTINGS[$1]="link set lo up"$'\n'${SETTINGS[$1]-}
}

# topology_build: carries out what the words said since the last time
topology_build()
{
	local name

	for name in "${NEW_HOSTS[@]}"; do
		host_settings "$name"
	done
	printf '%s' "$LINKS" | ip -batch - || return 1
	for name in "${HOSTS[@]}"; do
		[ -z "${SETTINGS[$name]-}" ] ||
			printf '%s' "${SETTINGS[$name]}" | ip -netns "$name" -batch - || return 1
	done
	for name in "${ROUTERS[@]}"; do
		# shellcheck disable=SC2086 # words
		nat_build $name || return 1
	done
	NEW_HOSTS=() LINKS='' SETTINGS=() ROUTERS=()
}

# topology_up NAME
topology_up()
{
	# shellcheck source=topologies/home
	. "$NETNS_SCRIPTS/topologies/$1" && topology_build
}

# ------------------------------------------------------------------------------- natd

# find_program NAME FOLDER: in the environment, the build folder, or the PATH
find_program()
{
	local given=${1^^}

	if [ -n "${!given-}" ]; then
		[ -x "${!given}" ] || die "$given: ${!given} is no program"
		realpath "${!given}"
	elif [ -x "$SOURCE_ROOT/build/$2/$1" ]; then
		echo "$SOURCE_ROOT/build/$2/$1"
	else
		PATH=$PATH:/usr/local/sbin:/usr/sbin command -v "$1"
	fi
}

quoted() { echo "\"${1//,/\", \"}\""; }

# natd_config [LINE...]: for the topology's gateway, on stdout; WAN_OPTIONS and
# LAN_OPTIONS go into their blocks
natd_config()
{
	# Outside of a user namespace natd gives root up, and user natd may not be there.
	[ "$BOX_KIND" = user ] || printf '%s\n' 'user = nobody' 'group = nogroup'
	cat <<-EOF
		wan { interfaces = {$(quoted "$GATEWAY_WAN")} ${WAN_OPTIONS-} }
		lan { interfaces = {$(quoted "$GATEWAY_LAN")} ${LAN_OPTIONS-} }
	EOF
	printf '%s\n' "$@"
}

# natd_state DIR: a folder that natd can keep its store in
natd_state()
{
	mkdir -p "$1"
	[ "$BOX_KIND" = user ] || chown nobody:nogroup "$1"
}
