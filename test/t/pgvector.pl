#-------------------------------------------------------------------------
#
# pgvector.pl
#		Together with pgvector, where it is installed: the cast of an embedding
#		to vector, the same distances, an HNSW index over an expression, and
#		enrich() into a column of type vector.
#
#-------------------------------------------------------------------------
use strict;
use warnings;

use FindBin;
use lib $FindBin::RealBin;
use Mobilebert;
use Test::More;

my $tiny = golden('one-layer-one-head');
my $node = new_server('pgvector');

plan skip_all => 'pgvector is not installed'
  unless value($node,
	"SELECT count(*) FROM pg_available_extensions WHERE name = 'vector'");

value(
	$node, qq{
	CREATE EXTENSION vector;
	SELECT mobilebert.import_model('tiny', '$tiny');
	CREATE TABLE passage (id int PRIMARY KEY, body text, e real[], v vector);
	INSERT INTO passage SELECT g, 'passage ' || g FROM generate_series(1, 300) g});

is( value(
		$node,
		q{SELECT vector_dims(mobilebert.embed('text', 'tiny')::vector) =
			cardinality(mobilebert.embed('text', 'tiny'))}),
	't',
	'embed(...)::vector');
value($node, q{UPDATE passage SET e = mobilebert.embed(body, 'tiny')});
value($node, q{CALL mobilebert.enrich('passage', 'v', $$mobilebert.embed(body, 'tiny')$$)});
is(value($node, 'SELECT bool_and(v = e::vector AND v::real[] = e) FROM passage'),
	't', 'a column of type vector, the same numbers');
is( value(
		$node, q{
		SELECT max(abs(1 - (v <=> q::vector) - mobilebert.cosine_similarity(e, q))) < 1e-6,
			max(abs(-(v <#> q::vector) - mobilebert.inner_product(e, q))) < 1e-4 * max(mobilebert.inner_product(e, e)),
			max(abs((v <-> q::vector) - mobilebert.l2_distance(e, q))) < 1e-4 * max(mobilebert.inner_product(e, e))
		FROM passage, mobilebert.embed('a question', 'tiny') q}),
	't|t|t',
	'the same distances');

# Distances of a column of type vector: it casts to real[] alone.
is( value(
		$node, q{
		PREPARE near AS SELECT mobilebert.inner_product(v, $1) FROM passage WHERE id = 1;
		SELECT mobilebert.inner_product(v, v) = mobilebert.inner_product(e, e),
			mobilebert.inner_product(v, e) = mobilebert.inner_product(e, v),
			mobilebert.inner_product(v, (e::float8[])::vector) = mobilebert.inner_product(e, e::float8[]),
			mobilebert.inner_product('[1,2]'::vector, '{3,4}'), mobilebert.inner_product('[1,2]'::vector, ARRAY[3,4]),
			mobilebert.inner_product(ARRAY[3.0,4], '[1,2]'::vector),
			(SELECT parameter_types FROM pg_prepared_statements WHERE name = 'near')
		FROM passage WHERE id = 1}),
	't|t|t|11|11|11|{real[]}',
	'distances of vectors');

my $dimension = value($node, q{SELECT cardinality(mobilebert.embed('', 'tiny'))});
value($node, "CREATE INDEX ON passage USING hnsw ((e::vector($dimension)) vector_cosine_ops)");
my $search = "SELECT id FROM passage ORDER BY e::vector($dimension) <=>
	mobilebert.embed('passage 17', 'tiny')::vector($dimension) LIMIT 1";
like(value($node, "SET enable_seqscan = off; EXPLAIN (COSTS OFF) $search"),
	qr/Index Scan using passage_e_idx/, 'an HNSW index is used');
is(value($node, "SET enable_seqscan = off; $search"), '17', 'and finds');
unharmed($node);

done_testing();
