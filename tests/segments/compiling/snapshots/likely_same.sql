WITH others_0 AS MATERIALIZED 
(SELECT c.id AS id, c.like_name AS like_name, c.like_phone AS like_phone, c.like_birth AS like_birth, c.street AS street 
FROM contact AS c JOIN contact_history AS h ON h.organisation_id = 1 AND h.contact_id = c.id 
WHERE c.organisation_id = 1 AND c.state = 'living' AND width_bucket('2026-11-20', h.activity_dates) - width_bucket('2025-11-19', h.activity_dates) >= 2)
 SELECT c.id AS contact_id 
FROM contact AS c 
WHERE c.organisation_id = 1 AND c.state = 'living' AND c.id IN (SELECT a.id 
FROM contact AS a JOIN (SELECT others_0.like_name AS key, min(others_0.id) AS first, max(others_0.id) AS last, SUBSTRING(others_0.street FROM '[0-9]+') AS number 
FROM others_0 
WHERE others_0.like_name IS NOT NULL GROUP BY others_0.like_name, SUBSTRING(others_0.street FROM '[0-9]+')) AS same ON same.key = a.like_name AND (a.id != same.first OR a.id != same.last) AND (same.number IS NULL OR SUBSTRING(a.street FROM '[0-9]+') IS NULL OR same.number = SUBSTRING(a.street FROM '[0-9]+')) 
WHERE a.organisation_id = 1 AND a.state = 'living' UNION SELECT a.id 
FROM contact AS a JOIN (SELECT others_0.like_phone AS key, min(others_0.id) AS first, max(others_0.id) AS last 
FROM others_0 
WHERE others_0.like_phone IS NOT NULL GROUP BY others_0.like_phone) AS same ON same.key = a.like_phone AND (a.id != same.first OR a.id != same.last) 
WHERE a.organisation_id = 1 AND a.state = 'living' UNION SELECT a.id 
FROM contact AS a JOIN (SELECT others_0.like_birth AS key, min(others_0.id) AS first, max(others_0.id) AS last 
FROM others_0 
WHERE others_0.like_birth IS NOT NULL GROUP BY others_0.like_birth) AS same ON same.key = a.like_birth AND (a.id != same.first OR a.id != same.last) 
WHERE a.organisation_id = 1 AND a.state = 'living')
