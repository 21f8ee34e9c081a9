#!/bin/sh
#-------------------------------------------------------------------------
#
# check_deb.sh
#		Installs the packages of make deb into a fresh Debian and uses them.
#
#	test/package/check_deb.sh DIRECTORY
#
# DIRECTORY has the two .deb files.  Changes the machine: meant for a container
# or chroot without PostgreSQL, as root.  Installs them with apt, which fetches
# what they depend on; makes a cluster of Debian's kind; imports the models of
# the package, embeds, and searches; removes all packages again and looks for what
# they left behind.
#
#-------------------------------------------------------------------------
set -eu
directory=$(realpath "${1:?usage: check_deb.sh DIRECTORY}")
cd /
export DEBIAN_FRONTEND=noninteractive LC_ALL=C
apt-get update -qq
apt-get install -y -qq --no-install-recommends postgresql-common >/dev/null
sed -i 's/^#* *create_main_cluster.*/create_main_cluster = false/' \
	/etc/postgresql-common/createcluster.conf
apt-get install -y -qq "$directory"/*.deb >/dev/null
major=$(ls /usr/lib/postgresql)
pg_createcluster "$major" check >/dev/null
trap 'pg_dropcluster --stop "$major" check' EXIT
pg_ctlcluster "$major" check start
setpriv --reuid=postgres --regid=postgres --clear-groups \
	psql -X -q -A -t -v ON_ERROR_STOP=1 --cluster "$major/check" postgres <<'SQL'
CREATE EXTENSION mobilebert;
SELECT 'imported: ' || string_agg(name || coalesce(' for ' || nullif(array_to_string(default_for, ', '), ''), ''), '; ' ORDER BY name)
FROM mobilebert.import_defaults();
SELECT 'nearest to "a pet": ' || t
FROM unnest(ARRAY['a stock market', 'my dog', 'the weather']) AS t
ORDER BY mobilebert.similarity(t, 'a pet', 'minilm') DESC LIMIT 1;
SQL
pg_dropcluster --stop "$major" check
trap - EXIT
apt-get purge -y -qq "postgresql-$major-mobilebert" mobilebert-models >/dev/null
left=$(find / -xdev -name '*mobilebert*' -not -path "$directory*" -not -path '/root/*' -not -path '/proc/*')
if [ -n "$left" ]; then
	printf 'left behind:\n%s\n' "$left" >&2
	exit 1
fi
echo "both packages work, and leave nothing behind"
