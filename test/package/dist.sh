#!/bin/sh
#-------------------------------------------------------------------------
#
# dist.sh
#		The archive for PGXN: what git has of the project, below one folder.
#
#	test/package/dist.sh VERSION		make dist
#
# Writes build/mobilebert-VERSION.zip from the last commit.  The version comes
# from mobilebert.control (the Makefile adds the third number): META.json of the
# archive gets it here, and check_meta.pl refuses what PGXN would.  A tree with
# changes is refused, because the archive would not have them.
#
# Unpacked it builds as a checkout does: make, make install, make installcheck.
#
#-------------------------------------------------------------------------
set -eu
version=${1:?usage: dist.sh VERSION}
cd "$(dirname "$0")/../.."
if [ -n "$(git status --porcelain)" ]; then
	echo "dist.sh: commit first; these files have changes:" >&2
	git status --short >&2
	exit 1
fi

mkdir -p build/dist
# The first version is ours, the second the extension's, the third that of
# PGXN's specification.
awk -v version="$version" '/^\t*"version":/ && ++n <= 2 {
	sub(/"version": "[^"]*"/, "\"version\": \"" version "\"")
} { print }' META.json >build/dist/META.json
perl test/package/check_meta.pl build/dist/META.json "$version"

rm -f "build/mobilebert-$version.zip"
git archive --format=zip --prefix="mobilebert-$version/" \
	--add-file=build/dist/META.json -o "build/mobilebert-$version.zip" \
	HEAD . ':(exclude)META.json'
echo "build/mobilebert-$version.zip"
