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
