--
-- choose.sql
--		Accuracy of :model, a model of multiple choice, on CODAH.
--
INSERT INTO figure
SELECT :'model', 'codah accuracy', count(*), 100 * avg((mobilebert.best_choice(content ->> 'prompt',
	pg_temp.strings(content -> 'choices'), :'model') = (content ->> 'right')::int)::int)
FROM pg_temp.texts('codah');
