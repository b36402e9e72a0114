WITH others_0 AS MATERIALIZED 
(SELECT c.id AS contact_id 
FROM contact AS c JOIN contact_history AS h ON h.organisation_id = 1 AND h.contact_id = c.id 
WHERE c.organisation_id = 1 AND c.state = 'living' AND width_bucket('2026-11-20', h.activity_dates) - width_bucket('2025-11-19', h.activity_dates) >= 2)
 SELECT c.id AS contact_id 
FROM contact AS c 
WHERE c.organisation_id = 1 AND c.state = 'living' AND ((EXISTS (SELECT 1 
FROM contact AS o 
WHERE o.organisation_id = 1 AND o.state = 'living' AND o.like_name = c.like_name AND o.id != c.id AND (SUBSTRING(o.street FROM '[0-9]+') IS NULL OR SUBSTRING(c.street FROM '[0-9]+') IS NULL OR SUBSTRING(o.street FROM '[0-9]+') = SUBSTRING(c.street FROM '[0-9]+')) AND o.id IN (SELECT others_0.contact_id 
FROM others_0))) OR (EXISTS (SELECT 1 
FROM contact AS o 
WHERE o.organisation_id = 1 AND o.state = 'living' AND o.like_phone = c.like_phone AND o.id != c.id AND o.id IN (SELECT others_0.contact_id 
FROM others_0))) OR (EXISTS (SELECT 1 
FROM contact AS o 
WHERE o.organisation_id = 1 AND o.state = 'living' AND o.like_birth = c.like_birth AND o.id != c.id AND o.id IN (SELECT others_0.contact_id 
FROM others_0))))
