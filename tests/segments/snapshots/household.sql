WITH others_0 AS MATERIALIZED 
(SELECT c.id AS contact_id 
FROM contact AS c JOIN contact_history AS h ON h.organisation_id = 1 AND h.contact_id = c.id 
WHERE c.organisation_id = 1 AND c.state = 'living' AND cardinality(h.activity_dates) >= 2)
 SELECT c.id AS contact_id 
FROM contact AS c 
WHERE c.organisation_id = 1 AND c.state = 'living' AND (EXISTS (SELECT 1 
FROM contact AS o 
WHERE o.organisation_id = 1 AND o.state = 'living' AND o.like_address = c.like_address AND o.id != c.id AND o.id IN (SELECT others_0.contact_id 
FROM others_0)))
