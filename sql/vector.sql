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
SELECT mobilebert.cosine_distance('{1,0}', '{0,3}') AS across, mobilebert.cosine_distance('{1,2}', '{2,4}')::numeric(6,5) AS same,
	mobilebert.cosine_distance('{1,2}', '{-1,-2}')::numeric(6,5) AS opposite, mobilebert.cosine_distance('{0,0}', '{1,1}') AS zero;

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
WHERE pronamespace = 'mobilebert'::regnamespace AND proname IN ('cosine_similarity', 'cosine_distance', 'inner_product', 'l2_distance', 'l2_normalize', 'centroid') ORDER BY 1;

-- double precision[], numeric[] and integers: the same as real[]
CREATE TABLE kinds AS
SELECT n, array_agg(x ORDER BY i) AS r, array_agg(x::float8 ORDER BY i) AS d,
	array_agg(y ORDER BY i) AS s, array_agg(y::float8 ORDER BY i) AS e
FROM generate_series(1, 40) AS n, generate_series(1, n) AS i,
	LATERAL (SELECT sin(i * 1.7 + n)::real AS x, cos(i * 0.9 - n)::real AS y) AS v
GROUP BY n;
SELECT count(*) AS rows,
	bool_and(mobilebert.cosine_similarity(d, e) = mobilebert.cosine_similarity(r, s)
		AND mobilebert.cosine_distance(d, e) = 1::real - mobilebert.cosine_similarity(r, s)
		AND mobilebert.l2_normalize(d) = mobilebert.l2_normalize(r)
		AND mobilebert.inner_product(d, e) = mobilebert.inner_product(r, s)
		AND mobilebert.l2_distance(d, e) = mobilebert.l2_distance(r, s)) AS both,
	bool_and(mobilebert.cosine_similarity(r, e) = mobilebert.cosine_similarity(r, s)
		AND mobilebert.cosine_distance(r, e) = mobilebert.cosine_distance(r, s)
		AND mobilebert.inner_product(r, e) = mobilebert.inner_product(r, s)
		AND mobilebert.l2_distance(r, e) = mobilebert.l2_distance(r, s)) AS second,
	bool_and(mobilebert.cosine_similarity(d, s) = mobilebert.cosine_similarity(r, s)
		AND mobilebert.cosine_distance(d, s) = mobilebert.cosine_distance(r, s)
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

-- divided by the length
SELECT mobilebert.l2_normalize('{3,4}') AS untyped, mobilebert.l2_normalize('[5:6]={0,-2}'::real[]) AS bounds,
	mobilebert.l2_normalize(ARRAY[3,4]) AS integers, mobilebert.l2_normalize(ARRAY[3,4]::float8[]) AS double, mobilebert.l2_normalize(ARRAY[0.6,0.8]) AS numeric;
SELECT mobilebert.l2_normalize('{0,0}') AS zero, mobilebert.l2_normalize('{}') AS empty, mobilebert.l2_normalize('{}'::float8[]) AS empty_double,
	mobilebert.l2_normalize('{3e38,0}'::real[]) AS large, mobilebert.l2_normalize('{NaN,1}') AS nan, mobilebert.l2_normalize(NULL::real[]) IS NULL AS "null";
SELECT bool_and(abs(mobilebert.inner_product(mobilebert.l2_normalize(r), mobilebert.l2_normalize(s)) - mobilebert.cosine_similarity(r, s)) < 1e-6) AS cosine FROM kinds;
SELECT mobilebert.l2_normalize('{1,NULL}'::real[]);
SELECT mobilebert.l2_normalize('{{1,2}}'::real[]);
SELECT mobilebert.l2_normalize('{a}'::text[]);

-- the mean: against SQL, each type, NULLs, groups, and a window
SELECT mobilebert.centroid(v) AS mean FROM (VALUES ('{1,2}'::real[]), (NULL), ('{3,-2}'), ('{5,0}')) AS t(v);
SELECT mobilebert.centroid(v) AS mean FROM (VALUES ('{1,2}'::float8[]), ('{4,2}')) AS t(v);
SELECT mobilebert.centroid(ARRAY[n, n * n]) AS integers, mobilebert.centroid(ARRAY[n, 0.5]) AS numeric, mobilebert.centroid(ARRAY[n]::bigint[]) AS bigint FROM generate_series(1, 4) AS n;
SELECT mobilebert.centroid(v) IS NULL AS none, mobilebert.centroid(NULL::real[]) IS NULL AS nothing FROM (SELECT r AS v FROM kinds WHERE false) AS t;
SELECT mobilebert.centroid('{}'::real[]) AS empty, mobilebert.centroid('{1}'::real[]) FILTER (WHERE n > 3) IS NULL AS filtered FROM generate_series(1, 3) AS n;
SELECT mobilebert.centroid(v) AS special FROM (VALUES ('{NaN,Infinity,Infinity,-Infinity,1}'::real[]), ('{1,1,-Infinity,-Infinity,2}')) AS t(v);
SELECT mobilebert.centroid(v) AS exact FROM (VALUES ('{3e38,1e20}'::real[]), ('{3e38,1}'), ('{3e38,-1e20}')) AS t(v);
CREATE TABLE cloud AS
SELECT n, n % 3 AS kind, ARRAY[sin(n), cos(n) * 1e6, sin(n * 2) * 1e-6, 1 / n::real]::real[] AS v FROM generate_series(1, 4000) AS n;
SELECT kind, bool_and(abs(c[i] - m) <= 1e-7 * greatest(abs(m), 1e-6)) AS near
FROM (SELECT kind, mobilebert.centroid(v) AS c FROM cloud GROUP BY kind) AS s,
	LATERAL (SELECT i, avg(cloud.v[i]::float8) AS m FROM cloud, generate_series(1, 4) AS i WHERE cloud.kind = s.kind GROUP BY i) AS t
GROUP BY kind ORDER BY kind;
SELECT n, mobilebert.centroid(ARRAY[n, 1]::real[]) OVER (ORDER BY n ROWS 1 PRECEDING) AS moving FROM generate_series(1, 3) AS n;
-- in any order and in parallel: the same bits
SELECT (SELECT mobilebert.centroid(v ORDER BY n) FROM cloud) = (SELECT mobilebert.centroid(v ORDER BY n DESC) FROM cloud) AS backwards,
	(SELECT mobilebert.centroid(v ORDER BY n) FROM cloud) = (SELECT mobilebert.centroid(v ORDER BY sin(n)) FROM cloud) AS shuffled;
SELECT mobilebert.centroid(v) AS alone FROM cloud \gset
BEGIN;
SET LOCAL parallel_setup_cost = 0;
SET LOCAL parallel_tuple_cost = 0;
SET LOCAL min_parallel_table_scan_size = 0;
SET LOCAL max_parallel_workers_per_gather = 2;
EXPLAIN (COSTS OFF) SELECT mobilebert.centroid(v) FROM cloud;
SELECT mobilebert.centroid(v) = :'alone'::real[] AS parallel FROM cloud;
ROLLBACK;
DROP TABLE cloud;
SELECT mobilebert.centroid(v) FROM (VALUES ('{1,2}'::real[]), ('{1}')) AS t(v);
SELECT mobilebert.centroid('{1,NULL}'::real[]);
SELECT mobilebert.centroid('{{1},{2}}'::real[]);
SELECT mobilebert.centroid('{1e60}'::float8[]);
SELECT mobilebert.centroid('{a}'::text[]);
SELECT mobilebert.centroid_final(NULL::bytea);
SELECT mobilebert.centroid_step(NULL::bytea, '{1}'::real[]);
DROP TABLE kinds;
