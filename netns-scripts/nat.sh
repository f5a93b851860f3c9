# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash
# nat.sh - routers that translate in a chosen way, with nothing but nft's rules
#
# For topologies and tests that need a router without natd: the provider's, or one that
# behaves as natd does not. IPv4 alone, under the first address of its WAN.
#
# KIND, in the words of RFC 4787 and of RFC 3489 before it:
#
#	port-restricted   what Linux does by itself: a host keeps its source port, and the
#	                  mapping, towards all destinations; only who was written to, from
#	                  that port, may answer
#	symmetric         another port for every destination
#	full-cone         UDP: one external port for a host's port, whatever the destination,
#	                  and anybody may write to it, also from inside (hairpin). TCP as in
#	                  port-restricted

NAT_KINDS="port-restricted symmetric full-cone"

# How long a mapping of a full cone lives without a packet from inside (RFC 4787 REQ-5).
NAT_TIMEOUT=300s
# An entry of `owner` outlives its twin in `port`, so that no port has two owners.
NAT_TIMEOUT_OWNER=305s

# nat_rules KIND WAN WAN-ADDRESS LAN-PREFIXES: for nft -f; prefixes as "a,b"
nat_rules()
{
	case $1 in
	port-restricted) nat_masquerade "$2" '' ;;
	symmetric) nat_masquerade "$2" 'fully-random' ;;
	full-cone) nat_full_cone "$2" "$3" "$4" ;;
	*) die "no NAT \"$1\"; there are: $NAT_KINDS" ;;
	esac
	nat_closed "$2"
}

nat_masquerade()
{
	cat <<-EOF
		table ip nat {
			chain leave {
				type nat hook postrouting priority srcnat
				oifname "$1" masquerade $2
			}
		}
	EOF
}

# Nobody comes in unasked, but where a full cone has translated him.
nat_closed()
{
	cat <<-EOF
		table ip closed {
			chain through {
				type filter hook forward priority filter
				ct state established,related accept
				ct status dnat accept
				iifname "$1" drop
			}
		}
	EOF
}

# A host's port takes the external port of the same number where nobody has it, else one
# of a few that follow from it, even for even. Who owns a port is asked of "owner" and
# written down by the same packet: "claim" lets one of two that come at once through.
nat_candidate()
{
	local wan=$1 port=$2

	cat <<-EOF
		meta l4proto udp meta l4proto . $port != @owner \\
			add @claim { meta l4proto . $port timeout 2s limit rate 1/hour burst 1 packets } \\
			add @owner { meta l4proto . $port timeout $NAT_TIMEOUT_OWNER : ip saddr . udp sport } \\
			add @port { ip saddr . udp sport . meta l4proto timeout $NAT_TIMEOUT : $port } \\
			snat ip to $wan : ip saddr . udp sport . meta l4proto map @port
	EOF
}

nat_full_cone()
{
	local if=$1 wan=$2 lans=$3 mask

	cat <<-EOF
		table ip nat {
			map owner {
				type inet_proto . inet_service : ipv4_addr . inet_service
				size 65536
				flags dynamic,timeout
			}
			map port {
				type ipv4_addr . inet_service . inet_proto : inet_service
				size 65536
				flags dynamic,timeout
			}
			set claim {
				type inet_proto . inet_service
				size 65536
				flags dynamic,timeout
			}
			chain enter {
				type nat hook prerouting priority dstnat
				ip daddr $wan dnat ip to meta l4proto . th dport map @owner
			}
			chain leave {
				type nat hook postrouting priority srcnat
				oifname "$if" meta l4proto udp goto cone
				ct original ip daddr $wan ip saddr { $lans } ip daddr { $lans } meta l4proto udp goto cone
				oifname "$if" ip saddr != $wan masquerade
			}
			chain cone {
				meta l4proto udp snat ip to $wan : ip saddr . udp sport . meta l4proto map @port
	EOF
	nat_candidate "$wan" 'udp sport'
	# 0x400: none of the first 1024, which are asked for by number alone.
	for mask in 0x1b64 0x36ca 0x6d94 0x5b28; do
		nat_candidate "$wan" "((udp sport ^ $mask) | 0x400)"
	done
	cat <<-EOF
				counter drop
			}
			chain keep {
				type filter hook postrouting priority 150
				meta l4proto udp ct direction original ct reply ip daddr $wan \\
					update @owner { meta l4proto . ct reply proto-dst timeout $NAT_TIMEOUT_OWNER : ct original ip saddr . ct original proto-src } \\
					update @port { ct original ip saddr . ct original proto-src . meta l4proto timeout $NAT_TIMEOUT : ct reply proto-dst }
				meta l4proto udp ct direction reply ct status dnat ct original ip daddr $wan \\
					update @owner { meta l4proto . ct original proto-dst timeout $NAT_TIMEOUT_OWNER : ct reply ip saddr . ct reply proto-src } \\
					update @port { ct reply ip saddr . ct reply proto-src . meta l4proto timeout $NAT_TIMEOUT : ct original proto-dst }
			}
		}
	EOF
}

# first_address HOST IF: of IPv4
first_address()
{
	ip -netns "$1" -json -4 address show dev "$2" | jq -er '.[0].addr_info[0].local'
}

# networks HOST IF,IF...: the IPv4 prefixes that they stand in, "a,b"
networks()
{
	local if

	for if in ${2//,/ }; do
		ip -netns "$1" -json -4 route show dev "$if" proto kernel
	done | jq -ers 'add | map(.dst) | join(",")'
}

# nat_build HOST WAN LAN KIND: the host becomes such a router; interfaces, "a,b" for several LANs
nat_build()
{
	local host=$1 wan=$2 lan=$3 kind=$4 address lans

	address=$(first_address "$host" "$wan") && lans=$(networks "$host" "$lan") || return 1
	nat_rules "$kind" "$wan" "$address" "$lans" | in_host "$host" nft -f - || return 1
	# Without br_netfilter, as machines are that no container ever ran on: with it a host
	# that is behind a bridge cannot dial itself.
	# shellcheck disable=SC2016 # for the inner shell
	in_host "$host" sh -c 'cd /proc/sys/net && echo 1 >ipv4/ip_forward &&
		{ [ ! -e bridge ] || echo 0 >bridge/bridge-nf-call-iptables; }'
}
