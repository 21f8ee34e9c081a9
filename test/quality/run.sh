#!/bin/sh
#-------------------------------------------------------------------------
#
# run.sh
#		How good the shipped models are, measured in SQL; "make quality" calls
#		it.
#
#	DATA	the data sets (weights/train/README.md), default ../shared/data
#	WEIGHTS	the models' directories, default weights
#	EVERY	take one text in so many, default 1; figures are compared with
#			Hugging Face's only where as many texts were looked at
#	QUALITY	names of models to look at, default all
#
# Installs into a private copy of PostgreSQL, imports all models, and runs one
# of the .sql files beside this for each: which one follows from what the model
# can do and from its labels.
#
#-------------------------------------------------------------------------
set -eu
cd "$(dirname "$0")/../.."
. test/run/cluster.sh

data=${DATA:-../shared/data}
# To make, which gave it to us, DATA are files to install.
MAKEFLAGS=$(echo "${MAKEFLAGS:-}" | sed 's/\(^\| \)DATA=[^ ]*//')
unset DATA
export MAKEFLAGS
weights=$(cd "${WEIGHTS:-weights}" && pwd)
test -d "$data/squad2-dev" || {
	echo "run.sh: there are no data sets in $data; DATA=... says where" >&2
	exit 2
}

finish()
{
	status=$?
	trap - EXIT
	cluster_end
	exit $status
}

run_sql()
{
	psql -X -q -A -t -v ON_ERROR_STOP=1 "$@"
}

test/run/deps.sh build
${MAKE:-make} -s all
trap finish EXIT
trap 'exit 130' INT TERM
cluster_begin
pg_private "${PG_CONFIG:-pg_config}"
${MAKE:-make} -s install MODELS_DIR="$weights" PG_CONFIG="$PG_CONFIG" >"$CLUSTER/install.log" 2>&1 ||
	{ cat "$CLUSTER/install.log" >&2; exit 1; }
test -z "$CLUSTER_USER" || chown -R "$CLUSTER_USER" "$CLUSTER/pg"
mkdir "$CLUSTER/quality"
perl test/quality/data.pl "$data" "$CLUSTER/quality" "${EVERY:-1}"
cluster_start "shared_buffers = '256MB'"
run_sql -c 'CREATE EXTENSION mobilebert' -c 'SELECT FROM mobilebert.import_defaults()' >/dev/null

# "MODEL FILE" a line
plan=$(run_sql -c "
	SELECT name || ' ' || file FROM mobilebert.models, LATERAL (VALUES
		('answer', 'answer' = ANY (tasks)),
		('ner', 'ner' = ANY (tasks) AND labels @> '{B-PER}'),
		('language', tasks @> '{fill_mask,next_sentence}'),
		('nli', 'classify' = ANY (tasks) AND labels @> '{entailment}'),
		('sentiment', 'classify' = ANY (tasks) AND labels @> '{negative,positive}'),
		('rerank', 'classify' = ANY (tasks) AND cardinality(labels) = 1),
		('choose', 'choose' = ANY (tasks))) AS f (file, fits)
	WHERE fits ORDER BY name, file")
{
	cat test/golden/squad/metrics.sql test/quality/begin.sql
	echo "$plan" | while read -r model file; do
		case " ${QUALITY:-$model} " in
			*" $model "*)
				printf '\\set model %s\n\\echo %s: %s.sql\n' \
					"'$model'" "'-- $model'" "$file"
				cat "test/quality/$file.sql" ;;
		esac
	done
	cat test/quality/end.sql
} >"$CLUSTER/quality.sql"
psql -X -q -v data="$CLUSTER/quality" \
	-v weights="$("$PG_CONFIG" --sharedir)/extension/mobilebert" -f "$CLUSTER/quality.sql"
