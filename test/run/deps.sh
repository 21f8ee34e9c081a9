#!/bin/sh
#-------------------------------------------------------------------------
#
# deps.sh
#		Installs the Debian packages that the build and the tests need.
#
#	test/run/deps.sh [build|test|arm64]
#
# "build" is what make and make demo need, "test" (the default) adds what
# make test needs; "arm64" is what builds and runs the engine for aarch64, no
# more.  Nothing happens when all is there, which is tried without apt; when
# apt is asked, "test" adds pgvector, pgbouncer and drivers as well if apt has
# them.  Packages are installed as root or through sudo without a
# password; where neither works, or where there is no apt, the script names what
# is missing and fails.
#
# The PostgreSQL version is that of PG_CONFIG when set, else of the newest
# server with development files on this machine, else the one the running
# Debian has (15 on Debian 12, 17 on 13).  PG_VERSION asks for a certain one.
# The package of the server would start a cluster of its own; it is told not
# to, so that this works in a chroot without init, too.
#
#-------------------------------------------------------------------------
set -eu

what=${1:-test}
case $what in
	build|test|arm64) ;;
	*) echo "usage: deps.sh [build|test|arm64]" >&2; exit 2 ;;
esac

# installed PACKAGE: does dpkg have it, fully installed?
installed()
{
	dpkg-query -W -f '${db:Status-Status}\n' "$1" 2>/dev/null |
		grep -qx installed
}

# available PACKAGE: can apt install it?
available()
{
	apt-cache policy "$1" 2>/dev/null | grep -q 'Candidate: [^(]'
}

# pg_version: the major version to use, empty when not known before apt ran.
pg_version()
{
	if [ "$what" = arm64 ]; then
		echo none
	elif [ -n "${PG_VERSION:-}" ]; then
		echo "$PG_VERSION"
	elif [ -n "${PG_CONFIG:-}" ]; then
		"$PG_CONFIG" --version | sed 's/^PostgreSQL \([0-9]*\).*/\1/'
	else
		for dir in /usr/lib/postgresql/*; do
			test -e "$dir/lib/pgxs/src/makefiles/pgxs.mk" &&
				test -x "$dir/bin/postgres" && echo "${dir##*/}"
		done | sort -n | tail -1
	fi
}

# newest_available: the newest server that apt can install with its headers.
newest_available()
{
	apt-cache search --names-only '^postgresql-server-dev-[0-9]+$' |
		sed 's/^postgresql-server-dev-\([0-9]*\) .*/\1/' | sort -n | tail -1
}

# own_server: does PG_CONFIG name a whole PostgreSQL, wherever it is from?
own_server()
{
	test -n "${PG_CONFIG:-}" && test -e "$("$PG_CONFIG" --pgxs)" &&
		test -x "$("$PG_CONFIG" --bindir)/postgres"
}

# wanted: prints the packages, alternatives joined with "|", best first.
wanted()
{
	echo make gcc libc6-dev perl
	if [ "$what" = arm64 ]; then
		echo gcc-aarch64-linux-gnu libc6-dev-arm64-cross 'qemu-user|qemu-user-static'
		return
	fi
	own_server || echo "postgresql-$1" "postgresql-server-dev-$1"
	echo 'libopenblas-serial-dev|libopenblas-dev' libutf8proc-dev
	test "$what" = build || echo libipc-run-perl
}

# welcome VERSION: what tests would use if apt has it, and skip without.
welcome()
{
	test "$what" = test || return 0
	vector=postgresql-$1-pgvector
	! own_server || vector=
	for package in $vector pgbouncer python3-psycopg python3-asyncpg; do
		if ! installed "$package" && available "$package"; then
			echo "$package"
		fi
	done
}

# missing: prints of the packages wanted those that are not installed.
missing()
{
	for choice in $(wanted "$1"); do
		found=
		for package in $(echo "$choice" | tr '|' ' '); do
			installed "$package" && found=1 && break
		done
		test -n "$found" || echo "$choice"
	done
}

# as_root COMMAND...: runs it as root, if that is possible without asking.
as_root()
{
	if [ "$(id -u)" = 0 ]; then
		"$@"
	else
		sudo -n "$@"
	fi
}

may_install()
{
	command -v apt-get >/dev/null && { [ "$(id -u)" = 0 ] ||
		sudo -n true 2>/dev/null; }
}

# keep_server_asleep: no cluster of the distribution, no service started.
keep_server_asleep()
{
	conf=/etc/postgresql-common/createcluster.conf
	if [ ! -e "$conf" ]; then
		as_root mkdir -p "${conf%/*}"
		echo 'create_main_cluster = false' | as_root tee "$conf" >/dev/null
		echo "wrote $conf (create_main_cluster = false)"
	fi
}

# choose ALTERNATIVES: the first that apt can install, else the first.
choose()
{
	for package in $(echo "$1" | tr '|' ' '); do
		available "$package" && echo "$package" && return
	done
	echo "${1%%|*}"
}

if ! command -v dpkg-query >/dev/null; then
	echo "not a Debian system; needed: PostgreSQL 14 or newer with its" \
		"development files, OpenBLAS, utf8proc, make, gcc, perl, IPC::Run"
	exit 0
fi

version=$(pg_version)
if [ -n "$version" ] && [ -z "$(missing "$version")" ]; then
	exit 0
fi

if ! may_install; then
	echo "missing packages: $(missing "${version:-NN}" | tr '\n|' ' /')" >&2
	echo "Install them as root with apt-get install, then try again." >&2
	exit 1
fi

echo "asking apt for missing packages"
as_root apt-get -q -q update
version=${version:-$(newest_available)}
if [ -z "$version" ]; then
	echo "apt knows no package postgresql-server-dev-NN" >&2
	exit 1
fi
packages=
for choice in $(missing "$version"); do
	packages="$packages $(choose "$choice")"
done
packages="$packages $(welcome "$version")"
echo "installing$packages"
keep_server_asleep
log=$(mktemp)
trap 'rm -f "$log"' EXIT
# An update-rc.d or systemctl that finds no init is not our failure: what
# counts is whether the packages are there in the end.
# shellcheck disable=SC2086
as_root env DEBIAN_FRONTEND=noninteractive LC_ALL=C.UTF-8 \
	apt-get -q -q -y --no-install-recommends install $packages \
	>"$log" 2>&1 || status=$?
if [ -n "$(missing "$version")" ]; then
	tail -20 "$log" >&2
	echo "could not install: $(missing "$version" | tr '\n|' ' /')" >&2
	exit "${status:-1}"
fi
