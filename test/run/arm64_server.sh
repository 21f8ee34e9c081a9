#!/bin/sh
#-------------------------------------------------------------------------
#
# arm64_server.sh
#		A whole server for aarch64 under qemu: PostgreSQL 15 of Debian's arm64,
#		the extension cross-compiled, some of pg_regress, and the demonstration
#		on 50 passages.
#
#	test/run/arm64_server.sh
#
# As root on a Debian machine of another kind that has PostgreSQL 15 with its
# development files (for pgxs).  Packages of arm64 are unpacked into
# build/arm64/debian, not configured, because their scripts would take longer
# under qemu than all the rest; programs there run through chroot, the kernel
# being told of qemu by binfmt_misc for as long as this lasts.  A quarter of an
# hour or more of one core, so no part of make test.
#
# The demonstration is in int8, for qemu computes floats one by one in software.
#
#	SQL		files of pg_regress, default "vector tokenizer classify"
#	CPU		qemu's processor, default max
#
#-------------------------------------------------------------------------
set -eu
cd "$(dirname "$0")/../.."

top=$PWD
out=$top/build/arm64
root=$out/debian
triplet=aarch64-linux-gnu
sql=${SQL:-vector tokenizer classify}
pg=/usr/lib/postgresql/15
PG_CONFIG=$pg/bin/pg_config
formats=/proc/sys/fs/binfmt_misc

say()
{
	echo "== $* ($(date +%T))"
}

# The mounts below are this script's own.
test "$(id -u)" = 0 || { echo "arm64_server.sh: needs root" >&2; exit 1; }
if [ -z "${ARM64_SERVER:-}" ]; then
	export ARM64_SERVER=1
	exec unshare -m "$0" "$@"
fi

# packages: those of a server and all that they need, unpacked
packages()
{
	test ! -e "$root/complete" || return 0
	say "packages"
	mkdir -p "$out/apt/lists/partial" "$out/server-debs/partial"
	: >"$out/no-status"
	set -- -q -q -o APT::Architecture=arm64 -o APT::Architectures::=arm64 \
		-o Dir::State::Lists="$out/apt/lists" \
		-o Dir::State::status="$out/no-status" \
		-o Dir::Cache::archives="$out/server-debs" \
		-o Acquire::Languages=none -o APT::Sandbox::User= \
		-o APT::Keep-Downloaded-Packages=true
	apt-get "$@" -o Dir::Cache::pkgcache= -o Dir::Cache::srcpkgcache= update
	apt-get "$@" -o Dir::Cache::pkgcache= -o Dir::Cache::srcpkgcache= \
		-y --no-install-recommends --download-only install \
		dash coreutils diffutils libc-bin postgresql-15 postgresql-server-dev-15 \
		libopenblas-serial-dev libutf8proc-dev
	rm -rf "$root"
	mkdir -p "$root"
	# as /usr is one tree: what lies in /lib goes to /usr/lib
	for dir in bin sbin lib; do
		mkdir -p "$root/usr/$dir"
		ln -s "usr/$dir" "$root/$dir"
	done
	for deb in "$out"/server-debs/*.deb; do
		dpkg-deb --fsys-tarfile "$deb" |
			tar -xf - --keep-directory-symlink -C "$root"
	done
	touch "$root/complete"
}

# register: the kernel runs arm64 programs with qemu.
register()
{
	qemu=$(command -v qemu-aarch64-static)
	mount -t binfmt_misc binfmt_misc $formats
	registered=
	test ! -e $formats/qemu-aarch64 || return 0
	printf '%s' ":qemu-aarch64:M::\\x7fELF\\x02\\x01\\x01\\x00\\x00\\x00\\x00\\x00\\x00\\x00\\x00\\x00\\x02\\x00\\xb7\\x00:\\xff\\xff\\xff\\xff\\xff\\xff\\xff\\x00\\xff\\xff\\xff\\xff\\xff\\xff\\xff\\xff\\xfe\\xff\\xff\\xff:$qemu:F" \
		>$formats/register
	registered=1
}

# inside COMMAND...: in the arm64 Debian, as an ordinary user
inside()
{
	env -i PATH=$pg/bin:/usr/bin:/bin HOME=/tmp LC_ALL=C PGHOST=/tmp \
		PGUSER=postgres QEMU_CPU="${CPU:-max}" \
		/usr/sbin/chroot --userspec=65534:65534 "$root" "$@"
}

finish()
{
	status=$?
	trap - EXIT
	inside $pg/bin/pg_ctl -D /tmp/data -m immediate stop \
		>/dev/null 2>&1 || true
	test -z "$registered" || echo -1 >$formats/qemu-aarch64
	exit $status
}

# cross_make ARGUMENTS...: the extension, in a copy of the tree.  pgxs is this
# machine's, headers and libraries are arm64's.
cross_make()
{
	make -s -C "$out/tree" CC=$triplet-gcc PG_CONFIG=$PG_CONFIG \
		PG_INCLUDE="$root/usr/include/postgresql/15/server" \
		BLAS_INCLUDE="$root/usr/include/$triplet/openblas-serial $root/usr/include" \
		BLAS_LINK="-L$out/link -Wl,-rpath,/usr/lib/$triplet/openblas-serial -Wl,-rpath-link,$root/usr/lib/$triplet -lopenblas" \
		"$@"
}

test/run/deps.sh arm64
test -n "$(command -v qemu-aarch64-static)" ||
	DEBIAN_FRONTEND=noninteractive apt-get -q -q -y \
		--no-install-recommends install qemu-user-static
packages

say "make"
# libc comes with the cross compiler, these two from the arm64 Debian
mkdir -p "$out/tree" "$out/link"
ln -sf "$root/usr/lib/$triplet/openblas-serial/libopenblas.so" "$out/link/"
ln -sf "$root"/usr/lib/$triplet/libutf8proc.so.[0-9] "$out/link/libutf8proc.so"
git ls-files -z | tar --null -T - -cf - | tar -xf - -C "$out/tree"
cross_make 2>&1 | grep -v "skipping incompatible" || true
test -e "$out/tree/mobilebert.so"
cross_make install DESTDIR="$root" >/dev/null 2>&1
file "$root/usr/lib/postgresql/15/lib/mobilebert.so" 2>/dev/null || true

registered=
trap finish EXIT
trap 'exit 130' INT TERM
register

say "a cluster"
mkdir -p "$root/tmp" "$root/proc" "$root/dev" "$root/etc"
chmod 1777 "$root/tmp"
mount -t proc proc "$root/proc"
mount --rbind /dev "$root/dev"
echo 'postgres:x:65534:65534::/tmp:/bin/sh' >"$root/etc/passwd"
rm -rf "$root/tmp/data" "$root/tmp/regress" "$root/tmp/demo"
inside uname -m
inside initdb -D /tmp/data -A trust -U postgres --no-locale -E UTF8 -N \
	>/dev/null
inside pg_ctl -D /tmp/data -w -t 300 -l /tmp/log -o "-c fsync=off -k /tmp \
	-c listen_addresses=" start >/dev/null
inside psql -X -A -t -c 'SELECT version()'

say "pg_regress: $sql"
mkdir -p "$root/tmp/regress/test/golden"
cp -r sql expected "$root/tmp/regress/"
cp -r test/golden/checkpoint "$root/tmp/regress/test/golden/"
chown -R 65534:65534 "$root/tmp/regress"
# shellcheck disable=SC2086
inside /bin/sh -c "cd /tmp/regress && exec \
	$pg/lib/pgxs/src/test/regress/pg_regress --bindir=$pg/bin --inputdir=. \
	--load-extension=mobilebert $sql" || {
	cat "$root/tmp/regress/regression.diffs"
	exit 1
}

say "demonstration on 50 passages"
mkdir "$root/tmp/demo"
cp test/demo/*.sql "$root/tmp/demo/"
perl -ne 'print; $quotes += tr/"//; $records++ if $quotes % 2 == 0;
	last if $records > 50' test/demo/passages.csv >"$root/tmp/demo/passages.csv"
chown -R 65534:65534 "$root/tmp/demo"
inside createdb demo
inside /bin/sh -c 'cd /tmp/demo && psql -X -q -v ON_ERROR_STOP=1 -d demo \
	-f setup.sql'
inside psql -X -q -d demo -c "COPY passages (id, president, year, passage) FROM '/tmp/demo/passages.csv' (FORMAT csv, HEADER)"
inside psql -X -d demo -c 'SELECT * FROM mobilebert.build_info()' \
	-c "SELECT name FROM mobilebert.create_variant('minilm8', 'minilm', 'int8')" \
	-c "SELECT mobilebert.set_default_model('embed', 'minilm8')" \
	-c '\timing' -c 'CALL embed_passages(20)'
inside /bin/sh -c 'cd /tmp/demo && psql -X -q -A -t -d demo -f questions.sql'
say "done"
