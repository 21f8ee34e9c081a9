--
-- answer.sql
--		SQuAD: exact match and F1 of :model, a model that answers questions.
--
-- The development set of v1.1; that of v2.0 with "no answer" in the ranking,
-- where a question without one counts as 1 when nothing is answered.
--
CREATE TEMP TABLE asked AS
SELECT s AS name, content ->> 'question' AS question, content ->> 'context' AS context,
	coalesce(pg_temp.strings(content -> 'answers'), '{""}') AS gold
FROM unnest('{squad1,squad2}'::text[]) AS s, pg_temp.texts(s);

CREATE TEMP TABLE answered AS
SELECT name, gold, mobilebert.best_answer(question, context, :'model', max_answer_len => 30) AS answer
FROM asked WHERE name = 'squad1'
UNION ALL
SELECT name, gold, mobilebert.best_answer(question, context, :'model', max_answer_len => 30,
	handle_impossible_answer => true)
FROM asked WHERE name = 'squad2';

INSERT INTO figure
SELECT :'model', name || ' exact', count(*), 100 * avg(pg_temp.squad_exact(answer, gold))
FROM answered GROUP BY name
UNION ALL
SELECT :'model', name || ' f1', count(*), 100 * avg(pg_temp.squad_f1(answer, gold))
FROM answered GROUP BY name
UNION ALL
SELECT :'model', CASE WHEN gold = '{""}' THEN 'squad2 unanswerable' ELSE 'squad2 answerable f1' END,
	count(*), 100 * avg(pg_temp.squad_f1(answer, gold))
FROM answered WHERE name = 'squad2' GROUP BY 2;

DROP TABLE asked, answered;
