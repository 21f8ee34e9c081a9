#-------------------------------------------------------------------------
#
# limits.pl
#		Too much: passes beyond mobilebert.memory_limit, texts beyond a model's
#		positions, and inputs of absurd sizes, each with its own SQLSTATE; the
#		session goes on.
#
#-------------------------------------------------------------------------
use strict;
use warnings;

use FindBin;
use lib $FindBin::RealBin;
use Mobilebert;
use PostgreSQL::Test::Utils;
use Test::More;

my $node = new_server('limits');
my $place = PostgreSQL::Test::Utils::tempdir();
my $model = build_model(
	"$place/model",
	vocabulary => words(2000),
	hidden_size => 32,
	embedding_size => 16,
	intra_bottleneck_size => 16,
	intermediate_size => 32,
	num_attention_heads => 2,
	num_hidden_layers => 2,
	max_position_embeddings => 512);
my $long = text_of(900, 1);

value($node, "SELECT mobilebert.import_model('m', '$model');
	SELECT mobilebert.set_default_model('embed', 'm')");

# --------------------------------------------------------------------------
# Memory
# --------------------------------------------------------------------------

my $session = session($node);
my $needed = ask($session, q{SELECT mobilebert.memory_needed('m', 512)});
cmp_ok($needed, '>', ask($session, q{SELECT mobilebert.memory_needed('m', 10)}),
	'more tokens need more memory');
my $limit = int($needed / 1024 * 0.9);
my $result = ask($session,
	"SELECT md5(mobilebert.embed('$long', 'm', overflow => 'truncate')::text)");

fails_like(
	$node, "SET mobilebert.memory_limit = '${limit}kB';
		SELECT mobilebert.embed('$long', 'm')",
	'54000', 'memory_limit.*HINT:', 'a pass beyond the limit is refused');
fails_like(
	$node, "SET mobilebert.memory_limit = '${limit}kB';
		SELECT count(*) FROM mobilebert.hidden_states('$long', 'm')",
	'54000', 'memory_limit', 'so are hidden states');
ask($session, "SET mobilebert.memory_limit = '${limit}kB'");
like(ask($session, "SELECT mobilebert.embed('$long', 'm')"),
	qr/memory_limit/, 'refused in a session');
like(ask($session, q{SELECT mobilebert.embed('short', 'm')}),
	qr/^\{/, 'which goes on with shorter texts');

# many short texts keep to the limit by themselves
my $many = q{SELECT md5(string_agg(e::text, ','))
	FROM mobilebert.embed(ARRAY(SELECT 'text ' || g FROM
		generate_series(1, 400) g), 'm') e};
my $packed = ask($session, "SET mobilebert.batch_tokens = 100000; $many");
like($packed, qr/^\w{32}$/, 'a large batch fits the limit');
is(ask($session, "RESET mobilebert.memory_limit; $many"),
	$packed, 'with the same result');
is(ask($session, "SET mobilebert.batch_tokens = 1; $many"),
	$packed, 'and without batches');
is( ask($session,
		"SELECT md5(mobilebert.embed('$long', 'm', overflow => 'truncate')::text)"
	),
	$result,
	'without the limit the long text works again');

# What is kept beside the passes: text, tokens, windows, answers.  Each of these
# took its memory before, and gave a result.
value($node, sprintf(q{SELECT mobilebert.import_model('%s', '%s')}, @$_))
  for [ 'ner', golden('tok-only-vocab') ],
  [ 'nli', golden('nli-3-entail-first') ],
  [ 'mlm', golden('one-layer-one-head') ],
  [ 'qa', golden('tok-no-cjk') ];

my @kept = (
	[ 'words and a long delimiter (ner)', '4MB',
		q{SELECT count(*) FROM mobilebert.ner(array_fill('word'::text, '{1000}'),
			'ner', delimiter => repeat(' ', 10000))} ],
	[ 'words and a long delimiter (entities)', '4MB',
		q{SELECT length(mobilebert.entities(array_fill('word'::text, '{1000}'),
			'ner', delimiter => repeat(' ', 10000))::text)} ],
	[ 'labels to leave out (ner)', '4MB',
		q{SELECT count(*) FROM mobilebert.ner('a word', 'ner',
			ignore_labels => array_fill('O'::text, '{300000}'))} ],
	[ 'finds of patterns (redact)', '4MB',
		q{SELECT length(mobilebert.redact(repeat('1.2.3.4 ', 200000), NULL,
			patterns => '{IP}'))} ],
	[ 'many entities (highlight)', '4MB',
		q{SELECT length(mobilebert.highlight('a word', array_fill(
			ROW('A', 1, NULL, 0, 1, NULL, NULL)::mobilebert.entity, '{200000}')))} ],
	[ 'a long replacement (redact)', '4MB',
		q{SELECT length(mobilebert.redact(repeat('1.2.3.4 ', 1000), NULL,
			replacement => repeat('x', 10000), patterns => '{IP}'))} ],
	[ 'many words (tokens)', '4MB',
		q{SELECT count(*) FROM mobilebert.tokens(array_fill('a'::text, '{100000}'), 'm')} ],
	[ 'long words (tokens)', '4MB',
		q{SELECT count(*) FROM mobilebert.tokens(array_fill(repeat('a', 1000), '{5000}'), 'm')} ],
	[ 'padding (encode)', '4MB',
		q{SELECT length(mobilebert.encode('a', 'm', padding => 'max_length',
			max_length => 1000000)::text)} ],
	[ 'many windows (tokens)', '8MB',
		q{SELECT count(*) FROM mobilebert.tokens(repeat('a ', 10000), 'm',
			max_length => 102, truncation => 'only_first', stride => 99)} ],
	[ 'tokens of a text (count_tokens)', '8MB',
		q{SELECT mobilebert.count_tokens(repeat('a ', 500000), 'm')} ],
	[ 'a text (token_id)', '4MB',
		q{SELECT mobilebert.token_id(repeat('a', 5000000), 'm') IS NULL} ],
	[ 'an array of tokens (tokenize)', '12MB',
		q{SELECT length(mobilebert.tokenize(repeat('kilometa ', 300000), 'm')::text)} ],
	[ 'text of ids (decode)', '4MB',
		q{SELECT length(mobilebert.decode(array_fill(31, '{3000000}'), 'm'))} ],
	[ 'chunks that overlap (chunk)', '12MB',
		q{SELECT count(*) FROM mobilebert.chunk(repeat('a ', 30000), 'm',
			max_tokens => 502, overlap => 499, split => 'word')} ],
	[ 'many texts (embed)', '4MB',
		q{SELECT count(*) FROM mobilebert.embed(ARRAY(SELECT 'a' || g
			FROM generate_series(1, 40000) g), 'm')} ],
	[ 'many labels (zero_shot)', '4MB',
		q{SELECT count(*) FROM mobilebert.zero_shot('a text',
			array_fill(NULL::text, '{600000}') || 'one'::text, 'nli')} ],
	[ 'many targets (fill_mask)', '4MB',
		q{SELECT count(*) FROM mobilebert.fill_mask('a [MASK].', 'mlm',
			targets => array_fill('a'::text, '{1100000}'))} ],
	[ 'many documents (rank)', '4MB',
		q{SELECT count(*) FROM mobilebert.rank('a text',
			array_fill(NULL::text, '{1200000}') || 'one'::text, 'm')} ],
	[ 'many matches (best_matches)', '4MB',
		q{SELECT array_length(mobilebert.best_matches('who?', 'a text',
			g || repeat('k', 50000), 'm', 1000000), 1)
			FROM generate_series(1, 100) g} ],
	[ 'vectors of labels (zero_shot)', '4MB',
		q{SELECT count(*) FROM mobilebert.zero_shot('a text', ARRAY(SELECT 'a' || g
			FROM generate_series(1, 40000) g), 'm')} ],
	[ 'many answers (best_answers)', '4MB',
		q{SELECT array_length(mobilebert.best_answers('who?', repeat(g || ' one two ', 40),
			g || repeat('k', 50000), 'qa', 1000000), 1)
			FROM generate_series(1, 100) g} ]);

for my $case (@kept)
{
	my ($name, $setting, $query) = @$case;

	fails_like($node,
		"SET client_min_messages = error; SET mobilebert.memory_limit = '$setting'; $query",
		'54000', 'memory_limit.*HINT:', "$name: refused");
	$node->psql('postgres',
		"SET client_min_messages = error; SET mobilebert.memory_limit = '1GB'; $query",
		stdout => \my $out, on_error_stop => 1);
	like($out, qr/^\w+$/, "$name: not with enough");
}

# --------------------------------------------------------------------------
# Overflow
# --------------------------------------------------------------------------

fails_like(
	$node, "SELECT mobilebert.embed('$long', 'm', overflow => 'error')",
	'54000', '902.*512|512.*902', 'overflow error: tokens and limit are named');
fails_like(
	$node, "SELECT mobilebert.embed('$long', 'm', overflow => 'cut')",
	'22023', '"cut".*error.*truncate.*window',
	'a bad overflow: the legal values are named');

# One WARNING a statement, with the number of texts.
sub warnings_of
{
	my ($sql) = @_;
	my ($status, $out, $error) = $node->psql('postgres', $sql);

	return $error;
}

my $texts = "(SELECT '$long ' || g AS body FROM generate_series(1, 7) g
	UNION ALL SELECT 'short') x";
my $warning = warnings_of(
	"SELECT count(mobilebert.embed(body, 'm')) FROM $texts");
is(scalar(() = $warning =~ /WARNING/g), 1, 'one warning a statement');
like($warning, qr/7 .*512/, 'with the number of texts and the limit');
is( warnings_of("SELECT count(mobilebert.embed(body, 'm',
		overflow => 'window')) FROM $texts"),
	'',
	'no warning with windows');
is(scalar(
		() = warnings_of(
			"SELECT count(*) FROM mobilebert.embed(
				ARRAY(SELECT body FROM $texts), 'm')") =~ /WARNING/g),
	1,
	'one warning for an array');
is(scalar(
		() = warnings_of(
			"SELECT mobilebert.embed('$long', 'm');
			SELECT mobilebert.embed('$long', 'm')") =~ /WARNING/g),
	2,
	'a text cut twice is told of twice');
unlike(
	warnings_of(
		"SELECT mobilebert.embed(body, 'm'), 1 / 0 FROM $texts OFFSET 0"),
	qr/PANIC|WARNING.*WARNING/s,
	'a failing statement');

# The client is told, the log is not, but where NOTICEs are wanted in it.
sub logged
{
	my ($sql) = @_;
	my $before = length(file_content($node->logfile));
	my $told = warnings_of($sql);

	# the server writes a line before it answers the next statement
	return ($told, substr(file_content($node->logfile), $before));
}

value($node, "CREATE TABLE abstract (body text, v real[]
	GENERATED ALWAYS AS (mobilebert.embed(body, 'm')) STORED);
	CREATE TABLE many AS SELECT '$long ' || g AS body FROM generate_series(1, 40) g;
	ALTER TABLE many SET (parallel_workers = 2);
	ANALYZE many;
	SELECT mobilebert.import_model('yesno', '" . golden('store-bf16') . "')");
my $parallel = "SET parallel_setup_cost = 0; SET parallel_tuple_cost = 0;
	SET min_parallel_table_scan_size = 0; SET parallel_leader_participation = off;
	SELECT count(mobilebert.embed(body, 'm')) FROM many";
for my $case (
	[ 'a generated column', "INSERT INTO abstract VALUES ('$long')", 'cut to' ],
	[ 'parallel workers', $parallel, 'cut to' ],
	[ 'a label that is no entailment', q{SELECT mobilebert.best_label('x', '{a,b}', 'yesno')}, 'called entailment' ])
{
	my ($name, $sql, $message) = @$case;
	my ($told, $log) = logged($sql);

	like($told, qr/WARNING:.*$message/, "$name: the client is told");
	unlike($log, qr/$message/, "$name: the log is not");
	($told, $log) = logged("SET log_min_messages = notice; $sql");
	like($told, qr/WARNING:.*$message/, "$name: the client is told again");
	like($log, qr/WARNING:.*$message/, "$name: and a log that wants NOTICEs");
}
like(value($node, $parallel =~ s/SELECT count/EXPLAIN SELECT count/r),
	qr/Workers Planned/, 'there were parallel workers');
(undef, my $raised) =
  logged(q{DO $$ BEGIN RAISE WARNING 'of somebody else'; END $$});
like($raised, qr/WARNING:.*of somebody else/, 'other WARNINGs are logged');

# the window form is another vector, and the same whatever the batch
isnt( value($node,
		"SELECT mobilebert.embed('$long', 'm', overflow => 'window')"),
	value($node,
		"SELECT mobilebert.embed('$long', 'm', overflow => 'truncate')"),
	'windows see the whole text');
is( value(
		$node, "SET mobilebert.batch_tokens = 1;
		SELECT mobilebert.embed('$long', 'm', overflow => 'window')"),
	value($node,
		"SELECT mobilebert.embed('$long', 'm', overflow => 'window')"),
	'whatever is in a pass');
fails_like(
	$node, "SELECT mobilebert.embed('$long', 'm', overflow => 'window',
		stride => 511)",
	'22023', 'stride', 'a stride beyond the window');
fails_like(
	$node, q{SELECT mobilebert.embed(
		ARRAY(SELECT 5 FROM generate_series(1, 513)), 'm')},
	'\w{5}', '512', 'more ids than positions');
fails_like($node, q{SELECT mobilebert.embed('{2,5,2000000,3}'::int[], 'm')},
	'22023', '2000000', 'an id beyond the vocabulary');
fails_like($node, q{SELECT mobilebert.embed('{2,-1,3}'::int[], 'm')},
	'22023', '-1', 'a negative id');

# --------------------------------------------------------------------------
# Absurd sizes
# --------------------------------------------------------------------------

like(
	value(
		$node, q{SELECT mobilebert.embed(repeat('x', 3000000), 'm',
			overflow => 'truncate')}),
	qr/^\{/,
	'a word of 3 million letters');
is( value(
		$node,
		q{SELECT mobilebert.count_tokens(repeat('b ', 2000000), 'm')}),
	2_000_002,
	'two million words');
fails_like($node, q{SELECT mobilebert.memory_needed('m', 0)},
	'22023', 'at least 1', 'memory for no token');
like(
	value($node, q{SELECT mobilebert.memory_needed('m', 2147483647)}),
	qr/^\d{10,}$/,
	'memory for two thousand million tokens is a number');
for my $setting ('batch_tokens = 0', 'cache_size = -1', 'memory_limit = 1',
	'batch_tokens = 3000000000')
{
	fails_like($node, "LOAD 'mobilebert'; SET mobilebert.$setting", '22023',
		'mobilebert', "no setting $setting");
}
fails_like(
	$node, q{LOAD 'mobilebert'; SET mobilebert.instruction_set = 'sse2'},
	'22023', 'instruction_set.*auto', 'no instruction set sse2');
SKIP:
{
	skip 'PostgreSQL 14 takes any setting that has a prefix', 1
	  if value($node, 'SHOW server_version_num') < 150000;
	fails_like($node, q{LOAD 'mobilebert'; SET mobilebert.no_such = 1},
		'42602', 'mobilebert', 'no setting no_such');
}

# --------------------------------------------------------------------------
# The result cache
# --------------------------------------------------------------------------

my $loop = q{SELECT md5(string_agg(mobilebert.embed('text ' || g % 50,
	'm')::text, ',' ORDER BY g)) FROM generate_series(1, 500) g};
my $plain = ask($session, "SET mobilebert.cache_size = 0; $loop");
like($plain, qr/^\w{32}$/, 'without cache');
is(ask($session, "SET mobilebert.cache_size = '$_'; $loop"),
	$plain, "same results with a cache of $_")
  for qw(1kB 8kB 64kB 4MB);
is(ask($session, "SET mobilebert.cache_size = 0; $loop"),
	$plain, 'and when it is given up');
my $kept = 'SELECT count(*) FROM pg_backend_memory_contexts
	WHERE name LIKE \'mobilebert result cache%\' AND used_bytes > 2 * 1024 * 1024';
ask($session, q{SET mobilebert.cache_size = '1MB';
	SELECT count(mobilebert.embed('text ' || g, 'm'))
		FROM generate_series(1, 20000) g});
is(ask($session, $kept), 0, 'the cache stays within its size');

# the plain kernels give another rounding, and the same meaning
my $similar = ask($session, q{
	SET mobilebert.instruction_set = 'ref';
	CREATE TEMP TABLE plain AS SELECT mobilebert.embed('some text', 'm') AS v;
	RESET mobilebert.instruction_set;
	SELECT mobilebert.cosine_similarity(v, mobilebert.embed('some text', 'm'))
		> 0.99999 FROM plain});
is($similar, 't', 'kernels of another instruction set');
$session->quit;
unharmed($node);

done_testing();
