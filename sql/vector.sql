--
-- Distances of vectors
--
SELECT mobilebert.cosine_similarity('{1,0}', '{1,1}')::numeric(6,5) AS cosine,
	mobilebert.inner_product('{1,2,3}', '{4,5,6}') AS inner,
	mobilebert.l2_distance('{0,0}', '{3,4}') AS l2;
SELECT mobilebert.cosine_similarity('{1,2}', '{-1,-2}')::numeric(6,5) AS opposite,
	mobilebert.cosine_similarity('{0,0}', '{1,1}') AS zero,
	mobilebert.l2_distance('{NaN}', '{1}') AS nan,
	mobilebert.inner_product('{Infinity}', '{1}') AS infinity;

-- against SQL, at many lengths
SELECT count(*) AS lengths,
	bool_and(abs(mobilebert.inner_product(a, b) - inner_product) <= 1e-5 * size) AS inner,
	bool_and(abs(mobilebert.l2_distance(a, b) - l2) <= 1e-5 * size) AS l2,
	bool_and(abs(mobilebert.cosine_similarity(a, b) - cosine) <= 1e-5) AS cosine
FROM (
	SELECT n, array_agg(x ORDER BY i) AS a, array_agg(y ORDER BY i) AS b,
		sum(x::float8 * y) AS inner_product, sqrt(sum((x::float8 - y) ^ 2)) AS l2,
		sum(x::float8 * y) / sqrt(sum(x::float8 ^ 2)) / sqrt(sum(y::float8 ^ 2)) AS cosine,
		1 + sum(abs(x::float8 * y)) AS size
	FROM generate_series(1, 130) AS n, generate_series(1, n) AS i,
		LATERAL (SELECT sin(i * 1.7 + n)::real AS x, cos(i * 0.9 - n)::real AS y) AS v
	GROUP BY n) AS s;

-- lower bounds do not matter, stored values neither
CREATE TEMP TABLE v (i int, e real[]);
INSERT INTO v VALUES (1, '[3:5]={1,2,3}'), (2, (SELECT array_agg(n::real) FROM generate_series(1, 5000) AS n));
SELECT i, mobilebert.inner_product(e, e) FROM v ORDER BY i;

-- NULL in, NULL out; empty vectors
SELECT mobilebert.cosine_similarity(NULL, '{1}') IS NULL AS cosine, mobilebert.inner_product('{1}', NULL) IS NULL AS inner, mobilebert.l2_distance(NULL, NULL) IS NULL AS l2;
SELECT mobilebert.cosine_similarity('{}', '{}') AS cosine, mobilebert.inner_product('{}', '{}') AS inner, mobilebert.l2_distance('{}', '{}') AS l2;

-- errors
SELECT mobilebert.cosine_similarity('{1,2}', '{1}');
SELECT mobilebert.inner_product('{}', '{1}');
SELECT mobilebert.l2_distance('{1,NULL}', '{1,2}');
SELECT mobilebert.l2_distance('{{1,2}}', '{{1,2}}');

SELECT proname, provolatile, proparallel, proisstrict FROM pg_proc
WHERE pronamespace = 'mobilebert'::regnamespace AND proname IN ('cosine_similarity', 'inner_product', 'l2_distance') ORDER BY 1;

-- double precision[], numeric[] and integers: the same as real[]
CREATE TEMP TABLE kinds AS
SELECT n, array_agg(x ORDER BY i) AS r, array_agg(x::float8 ORDER BY i) AS d,
	array_agg(y ORDER BY i) AS s, array_agg(y::float8 ORDER BY i) AS e
FROM generate_series(1, 40) AS n, generate_series(1, n) AS i,
	LATERAL (SELECT sin(i * 1.7 + n)::real AS x, cos(i * 0.9 - n)::real AS y) AS v
GROUP BY n;
SELECT count(*) AS rows,
	bool_and(mobilebert.cosine_similarity(d, e) = mobilebert.cosine_similarity(r, s)
		AND mobilebert.inner_product(d, e) = mobilebert.inner_product(r, s)
		AND mobilebert.l2_distance(d, e) = mobilebert.l2_distance(r, s)) AS both,
	bool_and(mobilebert.cosine_similarity(r, e) = mobilebert.cosine_similarity(r, s)
		AND mobilebert.inner_product(r, e) = mobilebert.inner_product(r, s)
		AND mobilebert.l2_distance(r, e) = mobilebert.l2_distance(r, s)) AS second,
	bool_and(mobilebert.cosine_similarity(d, s) = mobilebert.cosine_similarity(r, s)
		AND mobilebert.inner_product(d, s) = mobilebert.inner_product(r, s)
		AND mobilebert.l2_distance(d, s) = mobilebert.l2_distance(r, s)) AS first
FROM kinds;
-- each pair of types, an untyped literal among them
CREATE FUNCTION pg_temp.product(a text, b text) RETURNS real LANGUAGE plpgsql AS $$
DECLARE
	result real;
BEGIN
	EXECUTE format('SELECT mobilebert.inner_product(%L%s, %L%s)', '{1,2}', '::' || a, '{3,4}', '::' || b) INTO result;
	RETURN result;
END $$;
SELECT count(*) AS pairs, bool_and(pg_temp.product(a, b) = 11) AS equal
FROM unnest('{real[],double precision[],numeric[],smallint[],integer[],bigint[],NULL}'::text[]) AS a,
	unnest('{real[],double precision[],numeric[],smallint[],integer[],bigint[],NULL}'::text[]) AS b;
-- what casts to real[], as pgvector's vector does
CREATE TYPE point_3 AS (x real, y real, z real);
CREATE FUNCTION point_real(point_3) RETURNS real[] IMMUTABLE LANGUAGE sql AS 'SELECT ARRAY[$1.x, $1.y, $1.z]';
CREATE CAST (point_3 AS real[]) WITH FUNCTION point_real(point_3) AS IMPLICIT;
SELECT mobilebert.inner_product(p, p) AS both, mobilebert.inner_product(p, '{1,1,1}') AS untyped,
	mobilebert.inner_product('{1,1,1}'::real[], p) AS real, mobilebert.inner_product(p, ARRAY[1,1,1]) AS integers
FROM (SELECT ROW(1, 2, 3)::point_3 AS p) AS s;
DROP CAST (point_3 AS real[]);
DROP FUNCTION point_real;
DROP TYPE point_3;
-- parameters without a type
PREPARE with_real AS SELECT mobilebert.inner_product(r, $1) FROM kinds;
PREPARE with_double AS SELECT mobilebert.inner_product(d, $1) FROM kinds;
PREPARE with_none AS SELECT mobilebert.inner_product($1, $2);
PREPARE typed(double precision[]) AS SELECT mobilebert.inner_product(r, $1) = mobilebert.inner_product(r, s) FROM kinds WHERE n = 3;
SELECT name, parameter_types FROM pg_prepared_statements WHERE name LIKE 'with_%' ORDER BY 1;
EXECUTE with_none('{1,2}', '{3,4}');
SELECT e AS third FROM kinds WHERE n = 3 \gset
EXECUTE typed(:'third');
-- a constant is made real once, not for each row; columns are not converted
EXPLAIN (VERBOSE, COSTS OFF) SELECT mobilebert.inner_product(r, ARRAY[1,2.5]::float8[]) FROM kinds;
EXPLAIN (VERBOSE, COSTS OFF) SELECT mobilebert.inner_product(r, ARRAY[1,2.5]) FROM kinds;
SELECT mobilebert.inner_product('[3:4]={1,2}'::float8[], '{3,4}') AS bounds, mobilebert.inner_product('{}'::float8[], '{}'::real[]) AS empty,
	mobilebert.inner_product('{NaN}'::float8[], '{1}'::real[]) AS nan, mobilebert.inner_product('{-Infinity}'::float8[], '{1}'::real[]) AS infinity,
	mobilebert.inner_product('{1e-60}'::float8[], '{1}'::real[]) AS tiny, mobilebert.inner_product(NULL::float8[], '{1}'::real[]) IS NULL AS "null",
	mobilebert.inner_product(2::float8 || '{1}'::float8[], '{3,4}'::real[]) AS expression;
SELECT mobilebert.inner_product('{1e60}'::float8[], '{1}'::real[]);
SELECT mobilebert.inner_product('{1,NULL}'::float8[], '{1,2}'::real[]);
SELECT mobilebert.inner_product('{{1,2}}'::float8[], '{{1,2}}'::float8[]);
SELECT mobilebert.inner_product('{1,2}'::float8[], '{1}'::real[]);
SELECT mobilebert.inner_product('{a}'::text[], '{1}'::real[]);
SELECT mobilebert.numbers('{a}'::text[]);
