--
-- progress.sql
--		One line: how far embed_passages is; the variable "seconds" says for
--		how long it has been at work.
--
SELECT format('%s of %s passages embedded in %s s, %s a second',
			  count(embedding), count(*), :seconds,
			  round(count(embedding) / greatest(:seconds, 0.1), 1))
FROM passages;
