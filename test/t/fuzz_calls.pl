#-------------------------------------------------------------------------
#
# fuzz_calls.pl
#		Every SQL function with null, empty, extreme and odd arguments: a result
#		or a clean error; the server goes on.
#
# The calls are made from the catalog, so that new functions are tried as
# well.  The choice of arguments is the same in each run.
#
#-------------------------------------------------------------------------
use strict;
use warnings;

use FindBin;
use lib $FindBin::RealBin;
use Mobilebert;
use Test::More;

my $rounds = 60;
my $turns = 10;
my $node = new_server('fuzz_calls',
	conf => "shared_preload_libraries = 'mobilebert'\n");

value(
	$node,
	q{SELECT mobilebert.import_model('m', '} . golden('one-layer-one-head') . q{');
	SELECT mobilebert.import_model('n', '} . golden('tok-only-vocab') . q{');
	SELECT mobilebert.import_model('q', '} . golden('tok-no-cjk') . q{');
	SELECT mobilebert.set_default_model('embed', 'm');
	SELECT mobilebert.set_default_model('answer', 'q');
	CREATE ROLE m;
	CREATE TABLE outcome (call text, state text, message text);
	CREATE TABLE argument (type regtype, value text);
	INSERT INTO argument VALUES
		('text', ''), ('text', 'm'), ('text', 'm'), ('text', 'm'),
		('text', 'm'), ('text', 'm'), ('text', 'int8'),
		('text', 'n'), ('text', 'q'), ('text', 'q'), ('text', 'some words'), ('text', 'cls'),
		('text', 'window'), ('text', 'error'), ('text', 'max_length'),
		('text', 'longest_first'), ('text', 'only_second'), ('text', 'left'),
		('text', E'\u0301\u200d\ufeff \u2028'), ('text', 'İSTANBUL 中文 🙂🏽'),
		('text', repeat('long ', 400)), ('text', repeat('x', 5000)),
		('text', '[CLS] [MASK] [SEP][UNK]'), ('text', 'mean,max, cls'),
		('text', 'a [MASK]'), ('text', 'int8'), ('text', 'bf16'),
		('text', 'bf16x3'), ('text', 'fp32'), ('double precision', '0.5'),
		('double precision', 'NaN'), ('double precision', '-1e300'),
		('integer[]', '{-100,5,-100}'), ('integer[]', '{{-100,5,-100}}'),
		('integer', '0'), ('integer', '1'), ('integer', '-1'),
		('integer', '2'), ('integer', '7'), ('integer', '128'),
		('integer', '2147483647'), ('integer', '-2147483648'),
		('integer', '100000'), ('boolean', 'true'), ('boolean', 'false'),
		('integer[]', '{}'), ('integer[]', '{101,5,6,102}'),
		('integer[]', '{101,7,8,102}'), ('integer[]', '{0,1,1,1}'),
		('integer[]', '{1,1,1,1}'), ('integer[]', '{0,0,0,0}'),
		('integer[]', '{5,NULL}'), ('integer[]', '{{1,2},{3,4}}'),
		('integer[]', '[5:6]={1,2}'), ('integer[]', '{-1,2147483647}'),
		('text[]', '{}'), ('text[]', '{a,b,a,"",NULL}'),
		('text[]', '{{a,b},{c,d}}'), ('text[]', '[0:1]={x,y}'),
		('text[]', '{new,"york city",""}'), ('text[]', '{EMAIL,PHONE,DATE}'),
		('text', 'joe@example.com 10.0.0.1'), ('text', '<{} {#}>'),
		('real', '0.5'), ('real', 'NaN'), ('mobilebert.entity[]', '{}'),
		('mobilebert.entity[]', '{"(A,0.5,,0,4,,)","(B,NaN,,2,5,,)","(A,1,,1,1,,)"}'),
		('mobilebert.entity[]', '{"(B-A,0.5,a,0,1,1,a)",NULL}'),
		('mobilebert.entity[]', '{"(A,0.5,,-1,2147483647,,)"}'),
		('real[]', '{}'), ('real[]', '{1,2,3}'), ('real[]', '{0,0,0}'),
		('real[]', '{NaN,Infinity,-Infinity}'), ('real[]', '{1,NULL,2}'),
		('real[]', '{{1,2},{3,4}}'), ('real[]', '{3e38,3e38,-3e38}'),
		('real[]', '{1e-45,1e-45,0}'), ('jsonb', '{}'), ('jsonb', '[1]'),
		('jsonb', '{"hidden_size": 1e400}'), ('bytea', ''),
		('bytea', '\xffffffffffffffff'), ('oid', '0'), ('oid', '1');
	INSERT INTO argument
	SELECT 'mobilebert.classifier', value FROM
		(SELECT mobilebert.fit('text ' || g, CASE g % 3 WHEN 0 THEN 'third' ELSE 'other' END, 'm')::text AS f
			FROM generate_series(1, 30) g) fitted,
		unnest(ARRAY[f, f, replace(f, 'third', 'other'), replace(f, 'mean', 'max')]) value});

# Each round calls each function with arguments drawn for it; a null one time
# in eight.  Only the leading arguments are given one time in two.  Functions
# that never succeeded by then have more turns: what is drawn for one depends on
# which others there are.  import_defaults() is not called (shipped.pl does): the
# trained models would become the defaults, and the longest texts take seconds.
value(
	$node, qq{
	SELECT setseed(0.2);
	DO \$do\$
	DECLARE
		f record;
		given int;
		call text;
		state text;
		message text;
	BEGIN
		FOR turn IN 1 .. $turns LOOP
			FOR f IN
				SELECT p.oid, p.proname, p.pronargs, p.pronargdefaults,
					p.proargtypes::oid[] AS types
				FROM pg_proc p, generate_series(1, $rounds)
				WHERE pronamespace = 'mobilebert'::regnamespace
					AND prorettype NOT IN ('trigger'::regtype, 'internal'::regtype)
					AND 'internal'::regtype <> ALL (proargtypes) AND prokind = 'f'
					AND proname !~ '^(drop_|rename_|revoke_|set_default_|import_defaults)'
					AND (turn = 1 OR NOT EXISTS (SELECT FROM outcome o
						WHERE o.state = '00000' AND o.call LIKE '%mobilebert.' || proname || '(%'))
				ORDER BY 1
			LOOP
				given := f.pronargs - floor(random() * (f.pronargdefaults + 1));
				SELECT format('SELECT count(x::text) FROM mobilebert.%I(%s) x', f.proname,
						string_agg(CASE WHEN random() < 0.125 THEN 'NULL'
							ELSE quote_nullable(v.value) END || '::' ||
							format_type(t.type, NULL), ', ' ORDER BY t.number))
				INTO call
				FROM unnest(f.types[0:given - 1]) WITH ORDINALITY t(type, number)
				LEFT JOIN LATERAL (SELECT a.value FROM argument a
					WHERE a.type = t.type ORDER BY random() + t.number * 0 LIMIT 1) v
					ON true;
				CONTINUE WHEN call IS NULL;
				BEGIN
					EXECUTE call;
					state := '00000';
					message := NULL;
				EXCEPTION WHEN OTHERS THEN
					GET STACKED DIAGNOSTICS state = RETURNED_SQLSTATE,
						message = MESSAGE_TEXT;
				END;
				INSERT INTO outcome VALUES (call, state, message);
			END LOOP;
		END LOOP;
	END \$do\$});

cmp_ok(value($node, 'SELECT count(*) FROM outcome'),
	'>', 1000, 'many calls were made');
cmp_ok(
	value($node, q{SELECT count(*) FROM outcome WHERE state = '00000'}),
	'>', 200, 'many of them gave a result');
is( value(
		$node, q{SELECT call, state, message FROM outcome
			WHERE state ~ '^(XX|58|53|57)' AND state <> '58P01'
				AND message !~ 'File name too long' LIMIT 5}),
	'',
	'no error is an internal one');
is( value(
		$node, q{SELECT call, message FROM outcome
			WHERE message = '' OR message ~ '[\n\x01-\x08]' LIMIT 5}),
	'',
	'messages are of one line');
is( value(
		$node, q{SELECT string_agg(DISTINCT f, ', ') FROM
			(SELECT substring(call FROM 'mobilebert\.(\w+)') AS f, state
			FROM outcome) x
			WHERE f !~ 'import' GROUP BY f
			HAVING bool_and(state <> '00000')}),
	'',
	'each function was called with success');
diag('calls by outcome: ' . value(
		$node, q{SELECT string_agg(state || ' ' || n, ', ' ORDER BY n DESC) FROM
			(SELECT state, count(*) AS n FROM outcome GROUP BY 1) x}));
unharmed($node);

done_testing();
