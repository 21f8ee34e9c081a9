#-------------------------------------------------------------------------
#
# cluster.sh
#		Throw-away PostgreSQL for the demonstration and the tests, to be
#		sourced by sh.
#
# Nothing of this machine's PostgreSQL is touched.  pg_private makes a copy
# of its programs in a temporary directory, with links to its libraries and
# shared files.  PostgreSQL finds its directories relative to its programs,
# so that copy is an installation of its own: "make install" with the copy's
# pg_config puts the extension there, without a right to write anywhere else,
# and two checkouts can be tested at once.
#
# The server refuses to run as root.  When root calls, the cluster belongs to
# CLUSTER_USER (postgres, else nobody) and as_user runs a command as that
# user; for anyone else as_user just runs it.
#
#	. test/run/cluster.sh
#	cluster_begin			make the temporary directory $CLUSTER
#	pg_private pg_config	copy PostgreSQL; sets PG_CONFIG and PATH
#	cluster_start			initdb and start; sets PGHOST, PGPORT, PGUSER ...
#	psql -X ...				with the settings above
#	cluster_stop			stop the server (in $CLUSTER/data)
#	cluster_end				stop it if it runs, and remove $CLUSTER
#
# Works with PostgreSQL 14 to 18.  Local authentication is "trust", within a
# directory that only the owner can enter, and there is no TCP port.
#
#-------------------------------------------------------------------------

CLUSTER=
CLUSTER_USER=

# as_user COMMAND...: runs it as the user that owns the cluster.
as_user()
{
	if [ -z "$CLUSTER_USER" ]; then
		"$@"
	else
		setpriv --reuid="$CLUSTER_USER" --regid="$(id -g "$CLUSTER_USER")" \
			--clear-groups env HOME="$CLUSTER" USER="$CLUSTER_USER" \
			LOGNAME="$CLUSTER_USER" "$@"
	fi
}

# cluster_begin: makes $CLUSTER and decides who owns what is made in it.
cluster_begin()
{
	if [ "$(id -u)" = 0 ]; then
		CLUSTER_USER=nobody
		id postgres >/dev/null 2>&1 && CLUSTER_USER=postgres
	fi
	# The path of a socket may have about 100 bytes: not below $TMPDIR.
	CLUSTER=$(mktemp -d /tmp/mobilebert.XXXXXX) || return 1
	chmod 755 "$CLUSTER"
	test -z "$CLUSTER_USER" || chown "$CLUSTER_USER" "$CLUSTER"
}

# link_tree DIR: links to all files below DIR, at the same place in the copy.
link_tree()
{
	mkdir -p "$CLUSTER/pg$1"
	cp -rs "$1/." "$CLUSTER/pg$1/"
}

# pg_private PG_CONFIG: copies the installation that PG_CONFIG describes.
pg_private()
{
	bin=$("$1" --bindir) || return 1
	mkdir -p "$CLUSTER/pg$bin"
	for program in "$bin"/*; do
		case ${program##*/} in
			postgres|initdb|psql|pg_*|pgbench|createdb|dropdb|vacuumdb)
				cp -L "$program" "$CLUSTER/pg$bin/" ;;
		esac
	done
	# Debian keeps one pg_config for all versions elsewhere: take this one's.
	test -x "$CLUSTER/pg$bin/pg_config" ||
		cp -L "$(command -v "$1")" "$CLUSTER/pg$bin/pg_config"
	lib=$("$1" --pkglibdir)
	share=$("$1" --sharedir)
	link_tree "$lib"
	link_tree "$share"
	include=$("$1" --includedir-server)
	mkdir -p "$CLUSTER/pg${include%/*}"
	ln -s "$include" "$CLUSTER/pg$include"
	# Another build of the extension may be installed on this machine.
	find "$CLUSTER/pg$lib" "$CLUSTER/pg$share" -name 'mobilebert*' -prune -exec rm -rf {} +
	test -z "$CLUSTER_USER" || chown -Rh "$CLUSTER_USER" "$CLUSTER/pg"
	PG_CONFIG=$CLUSTER/pg$bin/pg_config
	PATH=$CLUSTER/pg$bin:$PATH
	export PG_CONFIG PATH
}

# server_tool PROGRAM ARGUMENT...: runs one of PostgreSQL's programs as the
# owner of the cluster, who need not be able to enter our directory.
server_tool()
{
	(cd / && as_user "$(dirname "$PG_CONFIG")/$@")
}

# cluster_start [LINE...]: makes a cluster in $CLUSTER/data and starts it;
# each LINE goes into postgresql.conf.
cluster_start()
{
	PGHOST=$CLUSTER/socket
	PGPORT=5432
	PGUSER=postgres
	PGDATABASE=postgres
	export PGHOST PGPORT PGUSER PGDATABASE
	as_user mkdir -m 700 "$PGHOST" || return 1
	server_tool initdb -D "$CLUSTER/data" -N -A trust \
		-U postgres -E UTF8 --locale=C >"$CLUSTER/initdb.log" 2>&1 || {
		cat "$CLUSTER/initdb.log" >&2
		return 1
	}
	{
		echo "listen_addresses = ''"
		echo "unix_socket_directories = '$PGHOST'"
		echo "fsync = off"
		echo "full_page_writes = off"
		echo "synchronous_commit = off"
		echo "max_wal_size = 4GB"
		for line in "$@"; do
			echo "$line"
		done
	} >>"$CLUSTER/data/postgresql.conf"
	server_tool pg_ctl -D "$CLUSTER/data" -w -s \
		-l "$CLUSTER/data/server.log" start || {
		cat "$CLUSTER/data/server.log" >&2
		return 1
	}
}

# cluster_stop: stops the server, without waiting for sessions to end.
cluster_stop()
{
	server_tool pg_ctl -D "$CLUSTER/data" -w -s -m fast stop
}

# cluster_end: leaves nothing behind; safe to call at any time.
cluster_end()
{
	test -n "$CLUSTER" || return 0
	test ! -e "$CLUSTER/data/postmaster.pid" || cluster_stop || true
	rm -rf "$CLUSTER"
	CLUSTER=
}
