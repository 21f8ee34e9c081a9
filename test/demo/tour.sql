--
-- tour.sql
--		One statement a task, on real text, for each task that has a model.
--
-- To be read by psql with the variables heading, statement and plain: what a
-- terminal takes to show a heading and a statement, and to go back; empty where
-- it has no colours.  A statement is printed (\p) before it is run (\g).
--
\set ON_ERROR_STOP 1
\pset footer off
\pset border 1
SELECT mobilebert.default_model('classify') IS NOT NULL AS label,
	EXISTS (SELECT FROM mobilebert.models
		WHERE name = mobilebert.default_model('zero_shot') AND labels @> '{entailment}') AS topics,
	mobilebert.default_model('ner') IS NOT NULL AS names,
	mobilebert.default_model('answer') IS NOT NULL AS answers,
	mobilebert.default_model('fill_mask') IS NOT NULL AS words,
	mobilebert.default_model('next_sentence') IS NOT NULL AS order \gset

\if :label
\echo :heading'== what customers think'
\echo -n :plain:statement
SELECT mobilebert.label(body), left(body, 80) || ' ...' AS review FROM review ORDER BY id
\p
\echo -n :plain
\g
\endif

\if :names
\echo :heading'== who and what is in the news'
\echo -n :plain:statement
SELECT entity, word, round(score::numeric, 2) AS score
FROM news, LATERAL mobilebert.ner(body) WHERE id = 6
\p
\echo -n :plain
\g
\echo -n :statement
SELECT mobilebert.redact(body) AS "the same text, masked" FROM news WHERE id = 6
\p
\echo -n :plain
\g (format=wrapped columns=100 linestyle=old-ascii)
\endif

\if :topics
\echo :heading'== what it is about, with labels that no model was trained on'
\echo -n :plain:statement
SELECT mobilebert.best_label(body, '{sports,technology,health,law,politics}') AS topic,
	left(body, 80) || ' ...' AS news
FROM news ORDER BY id
\p
\echo -n :plain
\g
\endif

\if :answers
\echo :heading'== one question to all addresses: the 30 passages nearest to it are read for the answer'
\echo -n :plain:statement
SELECT a.answer, round(a.score::numeric, 2) AS score, a.key AS said_by
FROM unnest((SELECT mobilebert.best_answers(question, passage, president || ' ' || year)
	FROM (VALUES ('How many original States were there?')) AS q (question), nearest(question, 30))) AS a
ORDER BY a.rank
\p
\echo -n :plain
\g
\endif

\if :words
\echo :heading'== a word that is missing'
\echo -n :plain:statement
SELECT rank, token, round(score::numeric, 2) AS score
FROM mobilebert.fill_mask('Ask not what your country can do for you; ask what you can do for your [MASK].')
\p
\echo -n :plain
\g
\endif

\if :order
\echo :heading'== which sentence comes next after the first one about Internet Explorer'
\echo -n :plain:statement
SELECT round(mobilebert.next_sentence(split_part(a.body, '. ', 1) || '.', b.next)::numeric, 2) AS probability,
	left(b.next, 80) || ' ...' AS next
FROM news AS a, (SELECT id, split_part(body, '. ', 2) AS next FROM news) AS b
WHERE a.id = 2 AND b.next <> '' ORDER BY probability DESC
\p
\echo -n :plain
\g
\endif
