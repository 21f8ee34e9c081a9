#-------------------------------------------------------------------------
#
# encodings.pl
#		Databases that are not UTF-8: offsets count characters of the text as it
#		is in the database, slices are pieces of it, and tokens and vectors are
#		those of the same text in UTF-8.
#
#-------------------------------------------------------------------------
use strict;
use warnings;

use FindBin;
use lib $FindBin::RealBin;
use Mobilebert;
use PostgreSQL::Test::Utils;
use Test::More;

$ENV{PGCLIENTENCODING} = 'UTF8';

my $node = new_server('encodings');
my $share = $node->config_data('--sharedir');
my $model = build_model(
	PostgreSQL::Test::Utils::tempdir() . '/model',
	vocabulary => "$share/extension/mobilebert/minilm/vocab.txt",
	hidden_size => 8,
	embedding_size => 4,
	intra_bottleneck_size => 4,
	intermediate_size => 8,
	num_attention_heads => 2,
	num_hidden_layers => 1,
	num_feedforward_networks => 2,
	max_position_embeddings => 256);

# Texts that the encoding can write: accents, letters that lower-case or
# decompose into several, ideographs, spaces of several kinds.
my %texts = (
	LATIN1 => [
		'Crème brûlée à la carte, s\'il vous plaît!',
		'Straße Ærø ÅNGSTRÖM naïve',
		"a\xc2\xa0b ½ µm £5 ©2024", ''
	],
	EUC_JP => [
		'東京は日本の首都です。', 'ガギグ and ｶﾞ half', '漢字 mixed with words, 漢 字',
		'plain words'
	],
	EUC_KR => [ '한국어 문장입니다.', 'a 한 b' ],
	WIN1251 => [ 'Привет, мир! Ёлка й', 'plain' ],
	UTF8 => [ '🙂 emoji 中文 é', 'a' ]);

my $qa = golden('tok-no-cjk');
my $ner = golden('tok-only-vocab');
my $import = "SELECT mobilebert.import_model('m', '$model');
	SELECT mobilebert.import_model('qa', '$qa');
	SELECT mobilebert.import_model('ner', '$ner')";

value($node, $import);

sub quoted
{
	my ($text) = @_;

	return q{'} . $text =~ s/'/''/gr . q{'};
}

my $tokens = q{SELECT string_agg(concat_ws(',', token_id, start_offset,
		end_offset, word_no, special), ';' ORDER BY token_no)
	FROM mobilebert.tokens(%s, 'm')};
my $vector = q{SELECT md5(mobilebert.embed(%s, 'm')::text)};
my $chunks = q{SELECT string_agg(chunk || '/' || start_offset || '/' ||
		end_offset || '/' || (chunk = substr(%1$s, start_offset + 1,
			end_offset - start_offset)), ';' ORDER BY chunk_no)
	FROM mobilebert.chunk(%1$s, 'm', 20)};
my $answers = q{SELECT string_agg(concat_ws('/', answer, score, start_offset,
		end_offset, answer = substr(%1$s, start_offset + 1,
			end_offset - start_offset)), ';' ORDER BY rank)
	FROM mobilebert.answer('who?', nullif(%1$s, ''), 'qa', 20, 2, 3, 16)};
my $masks = q{SELECT concat_ws('/', mobilebert.redact(%1$s, 'ner'),
		mobilebert.redact(%1$s || ' zoe@example.com ' || %1$s, NULL,
			patterns => '{EMAIL}') = %1$s || ' [EMAIL] ' || %1$s,
		mobilebert.redact(%1$s, mobilebert.entities(%1$s, 'ner', 'first')) =
			mobilebert.redact(%1$s, 'ner'),
		mobilebert.highlight(%1$s || ' 10.0.0.1',
			mobilebert.pattern_entities(%1$s || ' 10.0.0.1')))};

for my $encoding (sort keys %texts)
{
	my $database = lc($encoding);

	value($node,
		"CREATE DATABASE $database ENCODING '$encoding' LOCALE 'C' TEMPLATE template0"
	);
	value(
		$node, "CREATE EXTENSION mobilebert; $import", $database);
	for my $text (@{ $texts{$encoding} },
		join(' ', ($texts{$encoding}[0]) x 3))
	{
		my $queries = join(';',
			map { sprintf($_, quoted($text)) } $tokens, $vector, $chunks,
			$answers, $masks);
		my $here = value($node, $queries, $database);

		is($here, value($node, $queries),
			"$encoding: tokens, vector, chunks, answers and masks of \"$text\"");
		unlike($here, qr/false|\/f(?:;|$)/m,
			"$encoding: chunks and answers are slices");
		like($here, qr{/t/t/.* <mark class="IP">10\.0\.0\.1</mark>$},
			"$encoding: masks and marks stand in their place");
	}
	is( value(
			$node,
			q{SELECT mobilebert.fingerprint('m')}, $database),
		value($node, q{SELECT mobilebert.fingerprint('m')}),
		"$encoding: fingerprint");
}

# a token that the encoding cannot write, and one that it can
fails_like(
	$node, q{SELECT mobilebert.token_text(mobilebert.token_id(chr(233), 'm'), 'm'),
		mobilebert.decode(ARRAY(SELECT token_id FROM generate_series(1000, 2500)
			AS token_id), 'm')},
	'22P05', 'LATIN1',
	'a token without equivalent in LATIN1', 'latin1');
is( value(
		$node, q{SELECT mobilebert.decode(mobilebert.encode('crème', 'm'), 'm',
			skip_special_tokens => true)}, 'latin1'),
	'creme',
	'decode in LATIN1');
is( value(
		$node, q{SELECT mobilebert.decode(mobilebert.encode('東京', 'm'), 'm',
			skip_special_tokens => true)}, 'euc_jp'),
	'東 京',
	'decode in EUC_JP');

# names and messages
value($node,
	"SELECT mobilebert.import_model('modèle', '$model')", 'latin1');
is( value(
		$node, q{SELECT name FROM mobilebert.models WHERE name LIKE 'mod%'},
		'latin1'),
	'modèle',
	'a name in LATIN1');
fails_like($node, q{SELECT mobilebert.embed('x', 'modèles')},
	'42704', 'model "modèles" does not exist', 'a message in LATIN1', 'latin1');

# --------------------------------------------------------------------------
# SQL_ASCII: characters are bytes, and the bytes must be UTF-8
# --------------------------------------------------------------------------

value($node,
	q{CREATE DATABASE ascii ENCODING 'SQL_ASCII' LOCALE 'C' TEMPLATE template0}
);
value(
	$node, "CREATE EXTENSION mobilebert;
	SELECT mobilebert.import_model('m', '$model')", 'ascii');
is(value($node, sprintf($tokens, q{'plain words'}), 'ascii'),
	value($node, sprintf($tokens, q{'plain words'})), 'SQL_ASCII: tokens');
my $accents = quoted('é à b');
is( value($node, sprintf($vector, $accents), 'ascii'),
	value($node, sprintf($vector, $accents)),
	'SQL_ASCII: same vector');
is( value(
		$node, qq{SELECT string_agg(start_offset || '-' || end_offset, ' '
			ORDER BY token_no) FROM mobilebert.tokens($accents, 'm')
			WHERE NOT special}, 'ascii'),
	'0-2 3-5 6-7',
	'SQL_ASCII: offsets count bytes');
unlike(value($node, sprintf($chunks, $accents), 'ascii'),
	qr/false/, 'SQL_ASCII: chunks are slices');
is( value(
		$node, qq{SELECT mobilebert.redact($accents || ' zoe\@example.com ' ||
			$accents, NULL, patterns => '{EMAIL}')}, 'ascii'),
	'é à b [EMAIL] é à b',
	'SQL_ASCII: masks');
for my $bytes ('\xff', 'a\xc3', '\xed\xa0\x80', '\xc0\x80')
{
	fails_like($node, "SELECT mobilebert.embed(E'$bytes', 'm')",
		'22021', 'invalid byte sequence',
		"SQL_ASCII: no embedding of E'$bytes'", 'ascii');
}

unharmed($node);

done_testing();
