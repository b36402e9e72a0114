WITH near AS MATERIALIZED 
(SELECT c.id AS id 
FROM contact AS c JOIN contact_history AS h ON h.organisation_id = 1 AND h.contact_id = c.id JOIN contact_history_genres AS g ON g.organisation_id = 1 AND g.contact_id = c.id 
WHERE c.organisation_id = 1 AND c.state = 'living' AND cardinality(g.genre_lasts) >= 1 AND cardinality(g.genre_lasts) >= 1 AND cardinality(coalesce(h.activity_days, h.activity_dates)) >= 1)
 SELECT c.id AS contact_id 
FROM near AS c LEFT OUTER JOIN (SELECT p.contact_id AS contact_id, count(DISTINCT facts.venue) AS m0 
FROM participation AS p JOIN (SELECT a.id AS id, CASE WHEN (lower(btrim(a.venue)) IS NOT NULL) THEN dense_rank() OVER (ORDER BY lower(btrim(a.venue))) END AS venue 
FROM activity AS a 
WHERE a.organisation_id = 1
 LIMIT ALL OFFSET 0) AS facts ON facts.id = p.activity_id 
WHERE p.organisation_id = 1 AND p.contact_id IN (SELECT c.id 
FROM near AS c) AND p.is_valid GROUP BY p.contact_id) AS history ON history.contact_id = c.id 
WHERE history.m0 >= 1
