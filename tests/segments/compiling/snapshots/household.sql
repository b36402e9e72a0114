WITH others_0 AS MATERIALIZED 
(SELECT c.id AS id, c.like_address AS like_address 
FROM contact AS c JOIN contact_history AS h ON h.organisation_id = 1 AND h.contact_id = c.id 
WHERE c.organisation_id = 1 AND c.state = 'living' AND cardinality(h.activity_dates) >= 2)
 SELECT c.id AS contact_id 
FROM contact AS c 
WHERE c.organisation_id = 1 AND c.state = 'living' AND c.id IN (SELECT a.id 
FROM contact AS a JOIN (SELECT others_0.like_address AS key, min(others_0.id) AS first, max(others_0.id) AS last 
FROM others_0 
WHERE others_0.like_address IS NOT NULL GROUP BY others_0.like_address) AS same ON same.key = a.like_address AND (a.id != same.first OR a.id != same.last) 
WHERE a.organisation_id = 1 AND a.state = 'living')
