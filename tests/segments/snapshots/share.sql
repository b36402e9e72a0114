SELECT c.id AS contact_id 
FROM contact AS c LEFT OUTER JOIN (SELECT p.contact_id AS contact_id, count(*) FILTER (WHERE facts.k0) AS m0, count(*) AS m1 
FROM participation AS p JOIN (SELECT a.id AS id, coalesce(CAST(lower(CAST(a.genres AS TEXT)) AS TEXT[]) && ARRAY['dans'], false) AS k0 
FROM activity AS a 
WHERE a.organisation_id = 1
 LIMIT ALL OFFSET 0) AS facts ON facts.id = p.activity_id 
WHERE p.organisation_id = 1 AND p.is_valid AND p.activity_on >= '2024-11-20' AND p.activity_on < '2026-11-21' GROUP BY p.contact_id) AS history ON history.contact_id = c.id 
WHERE c.organisation_id = 1 AND c.state = 'living' AND history.m1 > 0 AND history.m0 >= 1 AND history.m0 >= 0.4 * history.m1
