WITH others_0 AS MATERIALIZED 
(SELECT c.id AS id, c.like_name AS like_name, c.like_phone AS like_phone, c.like_birth AS like_birth, c.like_number AS like_number 
FROM contact AS c JOIN contact_history AS h ON h.organisation_id = 1 AND h.contact_id = c.id 
WHERE c.organisation_id = 1 AND c.state = 'living' AND cardinality(h.activity_dates) >= 2)
 SELECT c.id AS contact_id 
FROM contact AS c 
WHERE c.organisation_id = 1 AND c.state = 'living' AND (c.id NOT IN (SELECT a.id 
FROM contact AS a 
WHERE a.organisation_id = 1 AND a.state = 'living' AND (EXISTS (SELECT 1 
FROM others_0 
WHERE others_0.like_name = a.like_name AND others_0.id != a.id AND (others_0.like_number IS NULL OR a.like_number IS NULL OR others_0.like_number = a.like_number))) UNION SELECT a.id 
FROM contact AS a 
WHERE a.organisation_id = 1 AND a.state = 'living' AND (EXISTS (SELECT 1 
FROM others_0 
WHERE others_0.like_phone = a.like_phone AND others_0.id != a.id)) UNION SELECT a.id 
FROM contact AS a 
WHERE a.organisation_id = 1 AND a.state = 'living' AND (EXISTS (SELECT 1 
FROM others_0 
WHERE others_0.like_birth = a.like_birth AND others_0.id != a.id))))
