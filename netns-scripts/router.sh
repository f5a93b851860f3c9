# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash
# router.sh - a provider's router that maps ports where it is asked to: miniupnpd
#
# Its WAN has an address that is a public one in earnest: of others miniupnpd says that they
# are no use, and natd that they are behind another NAT. What it maps are rules of nft, for
# which its chains are here.

ROUTER_EXTERNAL=45.9.148.5
ROUTER_INTERNET=45.9.148.9

# router_address HOST ADDRESS: of its WAN, wan0
router_address()
{
	ip -netns "$1" address flush dev wan0 &&
		ip -netns "$1" address add "$2/24" dev wan0 &&
		ip -netns "$1" route replace default via $ROUTER_INTERNET
}

# router_rules HOST: it masquerades, lets nothing in, and has nothing mapped
router_rules()
{
	in_host "$1" nft -f - <<-EOF
		flush ruleset
		table inet filter {
			chain miniupnpd {}
			chain prerouting_miniupnpd {}
			chain postrouting_miniupnpd {}
			chain forward {
				type filter hook forward priority filter; policy drop
				ct state established,related accept
				iifname "lan0" accept
				jump miniupnpd
			}
			chain prerouting {
				type nat hook prerouting priority dstnat
				jump prerouting_miniupnpd
			}
			chain postrouting {
				type nat hook postrouting priority srcnat
				jump postrouting_miniupnpd
				oifname "wan0" masquerade
			}
		}
	EOF
}

# router_config [LINE...]: of miniupnpd, on stdout
router_config()
{
	cat <<-EOF
		ext_ifname=wan0
		listening_ip=lan0
		enable_natpmp=yes
		enable_upnp=yes
		http_port=5000
		secure_mode=yes
		min_lifetime=120
		max_lifetime=86400
		uuid=00000000-0000-0000-0000-000000000001
		$(printf '%s\n' "$@")
		allow 1-65535 0.0.0.0/0 1-65535
	EOF
}

# router_ready HOST: miniupnpd listens
router_ready()
{
	[ -n "$(in_host "$1" ss -Hlnu "sport = :5351")" ] &&
		[ -n "$(in_host "$1" ss -Hlnt "sport = :5000")" ]
}

# router_build: "router" becomes such a one, and "internet" the host above it
router_build()
{
	ip -netns internet address replace $ROUTER_INTERNET/24 dev eth0 &&
		router_address router $ROUTER_EXTERNAL && router_rules router
}
