--
-- What a drop or rename of a model says of the objects that name it
--
\set abs_srcdir `echo "$PG_ABS_SRCDIR"`
\set tiny :abs_srcdir '/test/golden/checkpoint/one-layer-one-head'
SELECT name FROM mobilebert.import_model('O''Neill\é', :'tiny');
SELECT name FROM mobilebert.import_model('O''Neill', :'tiny');
CREATE SCHEMA dependants;
SET search_path = dependants;
CREATE TABLE t (body text, flag boolean);
CREATE FUNCTION nothing() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NULL; END';

-- one kind of object after the other: made, asked for, dropped.  TOKENS(x)
-- stands for a call.
CREATE PROCEDURE kind(made text, dropped text) LANGUAGE plpgsql AS $$
BEGIN
	EXECUTE regexp_replace(made, 'TOKENS\(([^)]*)\)', 'mobilebert.count_tokens(\1, ''O''''Neill\\é'')', 'g');
	PERFORM mobilebert.rename_model('O''Neill\é', 'other');
	PERFORM mobilebert.rename_model('other', 'O''Neill\é');
	EXECUTE 'DROP ' || dropped;
END $$;
CALL kind('CREATE TABLE a_table (body text, n int GENERATED ALWAYS AS (TOKENS(body)) STORED)', 'TABLE a_table');
CALL kind('CREATE TABLE a_table (n int DEFAULT TOKENS(''x''))', 'TABLE a_table');
CALL kind('CREATE TABLE a_table (body text, CONSTRAINT a_check CHECK (TOKENS(body) < 100))', 'TABLE a_table');
CALL kind('CREATE TABLE a_table (body text) PARTITION BY RANGE ((TOKENS(body)))', 'TABLE a_table');
CALL kind('CREATE INDEX an_index ON t (TOKENS(body))', 'INDEX an_index');
CALL kind('CREATE INDEX a_partial_index ON t (flag) WHERE TOKENS(body) > 3', 'INDEX a_partial_index');
CALL kind('CREATE STATISTICS some_statistics ON (TOKENS(body)), body FROM t', 'STATISTICS some_statistics');
CALL kind('CREATE POLICY a_policy ON t USING (TOKENS(body) > 3)', 'POLICY a_policy ON t');
CALL kind('CREATE POLICY of_new_rows ON t FOR INSERT WITH CHECK (TOKENS(body) > 3)', 'POLICY of_new_rows ON t');
CALL kind('CREATE TRIGGER a_trigger AFTER INSERT ON t FOR EACH ROW WHEN (TOKENS(NEW.body) > 3) EXECUTE FUNCTION nothing()', 'TRIGGER a_trigger ON t');
CALL kind('CREATE RULE a_rule AS ON UPDATE TO t WHERE TOKENS(NEW.body) > 3 DO INSTEAD NOTHING', 'RULE a_rule ON t');
CALL kind('CREATE VIEW a_view AS SELECT TOKENS(body) FROM t', 'VIEW a_view');
CALL kind('CREATE MATERIALIZED VIEW a_materialized_view AS SELECT TOKENS(body) FROM t WITH NO DATA', 'MATERIALIZED VIEW a_materialized_view');
CALL kind('CREATE FUNCTION a_function(body text) RETURNS int LANGUAGE sql RETURN TOKENS(body)', 'FUNCTION a_function');
CALL kind('CREATE FUNCTION a_default(n int DEFAULT TOKENS(''x'')) RETURNS int LANGUAGE sql AS ''SELECT n''', 'FUNCTION a_default');
CALL kind('CREATE DOMAIN a_domain AS text CONSTRAINT of_domain CHECK (TOKENS(VALUE) < 9)', 'DOMAIN a_domain');
CALL kind('CREATE DOMAIN another_domain AS int DEFAULT TOKENS(''x'')', 'DOMAIN another_domain');

-- a handful is listed; others name another model, or none in a call
\set tokens 'mobilebert.count_tokens(''x'', ''O''''Neill\\é'')'
CREATE VIEW another_view AS SELECT mobilebert.count_tokens(body) AS n FROM t;
CREATE INDEX ON t (mobilebert.count_tokens(body, 'O''Neill'));
CREATE TABLE many (body text, n1 int DEFAULT :tokens, n2 int DEFAULT :tokens, n3 int DEFAULT :tokens, n4 int DEFAULT :tokens, n5 int DEFAULT :tokens);
SELECT mobilebert.rename_model('O''Neill\é', 'other');
SELECT mobilebert.rename_model('other', 'O''Neill\é');
CREATE TABLE more (n6 int DEFAULT :tokens, n7 int DEFAULT :tokens);
SELECT mobilebert.drop_model('O''Neill\é');

-- nothing names it
SELECT name FROM mobilebert.import_model('unnamed', :'tiny');
SELECT mobilebert.rename_model('unnamed', 'nameless');
SELECT mobilebert.drop_model('nameless');

-- exchanged in one transaction
BEGIN;
SELECT mobilebert.drop_model('O''Neill');
SELECT name FROM mobilebert.import_model('O''Neill', :'tiny');
COMMIT;
SET client_min_messages = warning;
DROP SCHEMA dependants CASCADE;
SELECT mobilebert.drop_model('O''Neill');
