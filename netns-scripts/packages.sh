# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash
# packages.sh - what demo and tests/run need of the machine; the list is in "packages"

packages_of()
{
	local group

	for group; do
		sed -n "s/^$group //p" "$(dirname "${BASH_SOURCE[0]}")/packages"
	done | tr ' ' '\n'
}

packages_missing()
{
	local package

	for package in $(packages_of "$@"); do
		dpkg-query -W -f '${db:Status-Status}' "$package" 2>/dev/null |
			grep -x installed >/dev/null || echo "$package"
	done
}

# packages_refuse MISSING...: the one line, and the end
packages_refuse()
{
	echo "Packages are missing. This installs them:" >&2
	echo "    sudo apt-get install $*" >&2
	exit 2
}

# packages_want ask|yes|no GROUP...: ask asks on a terminal, and elsewhere is yes
packages_want()
{
	local how=$1 answer missing become=()

	shift
	command -v dpkg-query >/dev/null || {
		echo "This is no Debian; looking for nothing. Wanted: $(packages_of "$@" | xargs)" >&2
		return 0
	}
	mapfile -t missing < <(packages_missing "$@")
	[ ${#missing[@]} -gt 0 ] || return 0
	[ "$how" != no ] || packages_refuse "${missing[@]}"
	if [ "$(id -u)" != 0 ]; then
		command -v sudo >/dev/null || packages_refuse "${missing[@]}"
		become=(sudo)
		[ -t 0 ] || become+=(-n)
	fi
	if [ "$how" = ask ] && [ -t 0 ]; then
		read -rp "Install ${missing[*]}? [Y/n] " answer
		[[ ${answer:-y} == [Yy]* ]] || packages_refuse "${missing[@]}"
	fi
	become+=(env DEBIAN_FRONTEND=noninteractive apt-get -q)
	"${become[@]}" update >&2 || packages_refuse "${missing[@]}"
	"${become[@]}" install -y --no-install-recommends "${missing[@]}" >&2 ||
		packages_refuse "${missing[@]}"
}
