SELECT c.id AS contact_id 
FROM contact AS c LEFT OUTER JOIN (SELECT p.contact_id AS contact_id, count(*) AS m0 
FROM participation AS p JOIN (SELECT a.id AS id, coalesce(lower(btrim(a.series)) IN ('abo') AND lower(btrim(a.venue)) IN ('grote zaal') AND lower(btrim(a.kind)) IN ('performance') AND CAST(lower(CAST(a.genres AS TEXT)) AS TEXT[]) && ARRAY['dans'] AND CAST(lower(CAST(a.audiences AS TEXT)) AS TEXT[]) && ARRAY['families'], false) AS k0 
FROM activity AS a 
WHERE a.organisation_id = 1 AND lower(btrim(a.series)) IN ('abo') AND lower(btrim(a.venue)) IN ('grote zaal') AND lower(btrim(a.kind)) IN ('performance') AND CAST(lower(CAST(a.genres AS TEXT)) AS TEXT[]) && ARRAY['dans'] AND CAST(lower(CAST(a.audiences AS TEXT)) AS TEXT[]) && ARRAY['families']
 LIMIT ALL OFFSET 0) AS facts ON facts.id = p.activity_id 
WHERE p.organisation_id = 1 AND p.is_valid AND lower(btrim(p.channel)) IN ('web') AND lower(btrim(p.source)) IN ('test') AND EXTRACT(isodow FROM p.activity_on) IN (1, 2, 3, 4, 5, 6, 7) AND p.amount <= 20.5 AND p.quantity >= 1 AND p.quantity <= 2 AND p.activity_on - p.booked_on >= 0 AND p.activity_on - p.booked_on <= 30 GROUP BY p.contact_id) AS history ON history.contact_id = c.id 
WHERE c.organisation_id = 1 AND c.state = 'living' AND history.m0 >= 1
