WITH others_0 AS MATERIALIZED 
(SELECT c.id AS id, c.like_address AS like_address 
FROM contact AS c JOIN contact_history AS h ON h.organisation_id = 1 AND h.contact_id = c.id 
WHERE c.organisation_id = 1 AND c.state = 'living' AND cardinality(h.activity_dates) >= 2)
 SELECT c.id AS contact_id 
FROM contact AS c 
WHERE c.organisation_id = 1 AND c.state = 'living' AND c.id IN (SELECT a.id 
FROM contact AS a 
WHERE a.organisation_id = 1 AND a.state = 'living' AND (EXISTS (SELECT 1 
FROM others_0 
WHERE others_0.like_address = a.like_address AND others_0.id != a.id)))
