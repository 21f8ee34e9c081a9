--
-- questions.sql
--		Five questions whose answers share their meaning, not their words.
--
SELECT ask('Why are the banks closing and farmers ruined?') AS line
UNION ALL SELECT ''
UNION ALL SELECT ask('Why should every child go to school?')
UNION ALL SELECT ''
UNION ALL SELECT ask('How will we travel into space?')
UNION ALL SELECT ''
UNION ALL SELECT ask('Should newspapers be free to print what they like?')
UNION ALL SELECT ''
UNION ALL SELECT ask('Should big companies be stopped from crushing their small rivals?');
