#!/bin/sh
#-------------------------------------------------------------------------
#
# deb.sh
#		Packages for Debian: the extension for one server, and the models.
#
#	test/package/deb.sh VERSION			make deb
#
# Writes to build/
#	postgresql-N-mobilebert_VERSION_ARCH.deb	the extension for PostgreSQL N,
#		that of PG_CONFIG as test/run/deps.sh finds it
#	mobilebert-models_VERSION_all.deb			the models (MODELS, as for make
#		install), in /usr/share/mobilebert; the extension's package has a link
#		to it, so that import_model finds them by name with every server
#
# Builds with Debian's dpkg tools alone (dpkg-dev): what the library needs is
# read from it by dpkg-shlibdeps; the serial build of OpenBLAS is taken where
# none is there, as a backend has one thread.  Installs what is missing, as make demo does.
# check_deb.sh installs both into a fresh Debian and uses them.
#
#-------------------------------------------------------------------------
set -eu
version=${1:?usage: deb.sh VERSION}
cd "$(dirname "$0")/../.."
make=${MAKE:-make}
test/run/deps.sh build
command -v dpkg-shlibdeps >/dev/null || {
	echo "deb.sh: dpkg-dev is missing; apt install dpkg-dev" >&2
	exit 1
}
PG_CONFIG=${PG_CONFIG:-$(ls -d /usr/lib/postgresql/*/bin/pg_config | sort -V | tail -1)}
major=$("$PG_CONFIG" --version | sed 's/^PostgreSQL \([0-9]*\).*/\1/')
extension=postgresql-$major-mobilebert
models=mobilebert-models
root=$PWD/build/deb
rm -rf "$root"
mkdir -p "$root/debian"

$make -s PG_CONFIG="$PG_CONFIG"
$make -s install PG_CONFIG="$PG_CONFIG" DESTDIR="$root/$extension" MODELS=
$make -s install-models PG_CONFIG="$PG_CONFIG" DESTDIR="$root/models"
strip --strip-unneeded "$root/$extension$("$PG_CONFIG" --pkglibdir)/mobilebert.so"

# The models lie beside all servers, with a link in this one's directory.
share=$("$PG_CONFIG" --sharedir)/extension
mkdir -p "$root/$models/usr/share"
mv "$root/models$share/mobilebert" "$root/$models/usr/share/mobilebert"
rm -rf "$root/models" "$root/$extension$share/mobilebert"
ln -s /usr/share/mobilebert "$root/$extension$share/mobilebert"

# documents PACKAGE: what Debian wants of every package
documents()
{
	doc=$root/$1/usr/share/doc/$1
	mkdir -p "$doc"
	cp LICENSE "$doc/copyright"
	gzip -9n <CHANGELOG.md >"$doc/changelog.gz"
}
documents "$extension"
documents "$models"
cp README.md "$root/$extension/usr/share/doc/$extension/"
for model in "$root/$models"/usr/share/mobilebert/*/; do
	name=$(basename "$model")
	for file in LICENSE NOTICE SOURCE.md; do
		test ! -e "$model$file" ||
			{ printf '\n%s: %s\n\n' "$name" "$file"; cat "$model$file"; }
	done
done >>"$root/$models/usr/share/doc/$models/copyright"

cat >"$root/debian/control" <<EOF
Source: mobilebert
Section: database
Priority: optional
Maintainer: mobilebert contributors <mobilebert@localhost>
Standards-Version: 4.6.2

Package: $extension
Architecture: any
Depends: postgresql-$major, libopenblas0-serial | libopenblas0, \${shlibs:Depends}
Recommends: $models
Description: MobileBERT and the other WordPiece encoders inside PostgreSQL
 Embeddings, classification, zero-shot, entities, fill-mask, question
 answering and sentence pairs as SQL over table rows, computed by the server
 itself: BERT, DistilBERT, ELECTRA, MPNet and MobileBERT from Hugging Face's
 directories.

Package: $models
Architecture: all
Description: trained models for the mobilebert extension of PostgreSQL
 What import_defaults registers, and import_model by a name alone. The licence
 of each is in its directory, and all of them in this package's copyright file.
EOF
date=$(git log -1 --format=%cD 2>/dev/null || date -R)
cat >"$root/debian/changelog" <<EOF
mobilebert ($version) unstable; urgency=medium

  * See changelog.gz.

 -- mobilebert contributors <mobilebert@localhost>  $date
EOF

cd "$root"
umask 022
chmod -R u+w,go=rX "$extension" "$models"
dpkg-shlibdeps -Tdebian/substvars --ignore-missing-info \
	"$extension$("$PG_CONFIG" --pkglibdir)/mobilebert.so" 2>&1 |
	grep -v 'useless dependency\|contains an unresolvable\|other similar warning' >&2 || true
for package in "$extension" "$models"; do
	mkdir "$package/DEBIAN"
	dpkg-gencontrol -p"$package" -P"$package" -Tdebian/substvars \
		-cdebian/control -ldebian/changelog -fdebian/files
	(cd "$package" && find usr -type f -exec md5sum {} +) >"$package/DEBIAN/md5sums"
	dpkg-deb --root-owner-group --build "$package" ..
done
ls "$PWD"/../*_"$version"_*.deb | sed "s,$PWD/../,build/,"
