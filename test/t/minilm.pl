#-------------------------------------------------------------------------
#
# minilm.pl
#		The shipped minilm against Hugging Face: 100 texts, and the number of
#		tokens that the model sees of each; labels of one's own and a ranked
#		list against sentence-transformers.
#
#-------------------------------------------------------------------------
use strict;
use warnings;

use FindBin;
use lib $FindBin::RealBin;
use Mobilebert;
use Test::More;

my $file = "$FindBin::RealBin/../golden/minilm/expected.jsonl.gz";
my $lines = `gzip -dc '$file'`;
is($? >> 8, 0, 'expected values are there');

my $node = new_server('minilm');
my $all = join(',', split(/\n/, $lines));
value($node, "SELECT mobilebert.import_model('minilm')");

# one connection: temporary tables do not outlive it
my ($cases, $lowest, $tokens) = split /\|/, value(
	$node, qq{
	SET client_min_messages = error;
	CREATE TEMP TABLE expected AS
	SELECT n, e ->> 'text' AS body, (e ->> 'tokens')::int AS tokens,
		ARRAY(SELECT x::real FROM jsonb_array_elements_text(e -> 'embedding') x)
			AS vector
	FROM jsonb_array_elements(\$golden\$[$all]\$golden\$)
		WITH ORDINALITY AS t (e, n);
	SELECT count(*),
		min(mobilebert.cosine_similarity(vector, mobilebert.embed(body))),
		count(*) FILTER (WHERE
			tokens <> least(mobilebert.count_tokens(body), 256))
	FROM expected});
is($cases, 100, '100 texts');
cmp_ok($lowest, '>=', 0.999999, 'cosine to Hugging Face');
diag("lowest cosine of $cases embeddings to Hugging Face's: $lowest");
is($tokens, 0, 'as many tokens as Hugging Face sees');

# labels and documents by their vectors
my $golden = file_content("$FindBin::RealBin/../golden/minilm/zero_shot.json");

is( value(
		$node, qq{
		WITH expected AS (
			SELECT e ->> 'text' AS body, e ->> 'template' AS template,
				ARRAY(SELECT jsonb_array_elements_text(e -> 'labels')) AS labels,
				ARRAY(SELECT x::float8 FROM jsonb_array_elements_text(e -> 'cosines') x) AS cosines,
				ARRAY(SELECT x::float8 FROM jsonb_array_elements_text(e -> 'scores') x) AS scores
			FROM jsonb_array_elements(\$golden\$$golden\$golden\$::jsonb -> 'zero_shot') e)
		SELECT count(*), bool_and(abs(c.score - cosines[n]) < 1e-6),
			bool_and(abs(z.score - scores[n]) < 1e-5),
			bool_and((z.rank = 1) = (scores[n] >= ALL (scores))),
			bool_and((z.rank = 1) = (z.label = mobilebert.best_label(body, labels, 'minilm', template)))
		FROM expected, unnest(labels) WITH ORDINALITY AS l(label, n)
			JOIN LATERAL mobilebert.zero_shot(body, labels, 'minilm', template) AS z USING (label)
			JOIN LATERAL mobilebert.zero_shot(body, labels, 'minilm', template, true) AS c USING (label)}),
	'50|t|t|t|t',
	'labels of one\'s own: cosines, scores and the best');
is( value(
		$node, qq{
		WITH expected AS (SELECT \$golden\$$golden\$golden\$::jsonb -> 'rank' AS e)
		SELECT count(*), bool_and(r.document_no = (h ->> 'document_no')::int),
			bool_and(abs(r.score - (h ->> 'score')::float8) < 1e-6)
		FROM expected, LATERAL mobilebert.rank(e ->> 'query',
				ARRAY(SELECT jsonb_array_elements_text(e -> 'documents')), 'minilm') AS r
			JOIN LATERAL jsonb_array_elements(e -> 'hits') WITH ORDINALITY AS h(h, n) ON n = r.rank}),
	'9|t|t',
	'a ranked list');

done_testing();
