#-------------------------------------------------------------------------
#
# damaged.pl
#		A registry that was damaged behind the extension's back, by hand or by
#		a failing disk: clean errors that name what is wrong, and no crash.
#
#-------------------------------------------------------------------------
use strict;
use warnings;

use FindBin;
use lib $FindBin::RealBin;
use Mobilebert;
use Test::More;

my $node = new_server('damaged');
my $tiny = golden('one-layer-one-head');

value($node, "SELECT mobilebert.import_model('m', '$tiny')");
my $whole = value($node, q{SELECT mobilebert.embed('some words', 'm')});

# Each damage is done in a transaction that is rolled back; the new image key
# makes sure that no image of before is found.
sub damaged
{
	my ($name, $damage, $sqlstate, $message) = @_;

	fails_like(
		$node, "BEGIN;
		UPDATE mobilebert.model SET image_key = sha256(gen_random_uuid()::text::bytea);
		$damage;
		SELECT mobilebert.embed('some words', 'm')",
		$sqlstate, $message, $name);
	return;
}

my $one = q{(SELECT tensor_id FROM mobilebert.model_tensor
	WHERE tensor_name LIKE '%attention.self.query.weight')};

damaged('a tensor without bytes',
	"DELETE FROM mobilebert.tensor_chunk WHERE tensor_id = $one",
	'55000', 'not complete.*attention.self.query.weight" has 0 of');
damaged('a tensor cut short',
	"UPDATE mobilebert.tensor_chunk SET data = substr(data, 1, 9) WHERE tensor_id = $one",
	'55000', 'not complete.*attention.self.query.weight" has 9 of');
damaged('a tensor too long',
	"UPDATE mobilebert.tensor_chunk SET data = data || data WHERE tensor_id = $one",
	'XX001', 'attention.self.query.weight');
damaged('a piece with another number',
	"UPDATE mobilebert.tensor_chunk SET chunk_no = 1 WHERE tensor_id = $one",
	'55000', 'not complete.*attention.self.query.weight" has 0 of');
damaged('a piece too many, with a number of its own',
	"INSERT INTO mobilebert.tensor_chunk SELECT tensor_id, 7, data
		FROM mobilebert.tensor_chunk WHERE tensor_id = $one",
	'XX001', 'attention.self.query.weight');
damaged('a tensor that is missing',
	"DELETE FROM mobilebert.tensor WHERE id = $one",
	'55000', 'not complete.*attention.self.query.weight" is missing');
damaged('a tensor of no type',
	"UPDATE mobilebert.tensor SET dtype = 'X1' WHERE id = $one",
	'XX001', 'type or shape');
damaged('a tensor of another type',
	"UPDATE mobilebert.tensor SET dtype = 'F16' WHERE id = $one",
	'XX001', 'attention.self.query.weight');
damaged('a tensor of another shape',
	"UPDATE mobilebert.tensor SET shape = '{3,4}' WHERE id = $one",
	'\w{5}', 'attention.self.query.weight');
damaged("a tensor with a shape of $_",
	"UPDATE mobilebert.tensor SET shape = '$_' WHERE id = $one",
	'XX001', 'type or shape')
  for '{}', '{1,2,3}', '{NULL,1}', '{{1,2},{3,4}}';
damaged('a place without tensor',
	q{DELETE FROM mobilebert.model_tensor
		WHERE tensor_name LIKE '%attention.self.query.weight'},
	'55000', 'not complete.* of its \d+ tensors');
damaged('no configuration',
	q{DELETE FROM mobilebert.model_file WHERE file_name = 'config.json'},
	'55000', 'not complete.* of its \d+ files');
damaged('a configuration of rubbish',
	q{UPDATE mobilebert.model_file SET content = '\x7b22' WHERE file_name = 'config.json'},
	'22000', 'config.json');
damaged('another configuration',
	q{UPDATE mobilebert.model_file SET content = convert_to(replace(convert_from(
		content, 'UTF8'), '"hidden_size": 32', '"hidden_size": 64'), 'UTF8')
		WHERE file_name = 'config.json'},
	'\w{5}', 'shape');
damaged('no tokenizer',
	q{DELETE FROM mobilebert.model_file WHERE file_name = 'tokenizer.json'},
	'55000', 'not complete.* of its \d+ files');

# by chance, in documents and weights: whatever comes, no crash
value(
	$node, q{
	CREATE TABLE outcome (state text, message text);
	SELECT setseed(0.3);
	DO $$
	DECLARE
		state text;
		message text;
	BEGIN
		FOR i IN 1 .. 300 LOOP
			BEGIN
				state := '00000';
				UPDATE mobilebert.model
					SET image_key = sha256(gen_random_uuid()::text::bytea);
				IF i % 2 = 0 THEN
					UPDATE mobilebert.model_file SET content =
						set_byte(content, floor(random() * length(content))::int,
							floor(random() * 256)::int)
					WHERE file_name = CASE WHEN i % 4 = 0 THEN 'config.json'
						ELSE 'tokenizer.json' END;
				ELSE
					UPDATE mobilebert.tensor SET shape[1] = (ARRAY[0, -1, 1,
						9223372036854775807, 16])[1 + floor(random() * 5)]
					WHERE id = (SELECT id FROM mobilebert.tensor
						ORDER BY random() LIMIT 1);
				END IF;
				PERFORM mobilebert.embed('some words', 'm');
				RAISE EXCEPTION SQLSTATE 'MB001';
			EXCEPTION WHEN OTHERS THEN
				GET STACKED DIAGNOSTICS state = RETURNED_SQLSTATE,
					message = MESSAGE_TEXT;
			END;
			INSERT INTO outcome VALUES (state, message);
		END LOOP;
	END$$});
is(value($node, 'SELECT count(*) FROM outcome'), 300, 'damage by chance');
is( value(
		$node, q{SELECT DISTINCT state, message FROM outcome
			WHERE state IN ('XX000', 'XX002')}),
	'',
	'no internal error');
is(value($node, q{SELECT mobilebert.embed('some words', 'm')}),
	$whole, 'the model is whole again after rollbacks');
unharmed($node);

done_testing();
