#-------------------------------------------------------------------------
#
# minilm.pl
#		The shipped model against Hugging Face: 100 texts, and the number of
#		tokens that the model sees of each.
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

done_testing();
