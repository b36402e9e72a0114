SELECT c.id AS contact_id 
FROM contact AS c LEFT OUTER JOIN (SELECT p.contact_id AS contact_id, max(p.activity_on) AS m0 
FROM participation AS p 
WHERE p.organisation_id = 1 AND p.is_valid AND p.activity_on >= '2025-06-23' GROUP BY p.contact_id) AS history ON history.contact_id = c.id 
WHERE c.organisation_id = 1 AND c.state = 'living' AND history.m0 IS NOT NULL AND history.m0 >= '2025-06-23' AND history.m0 < '2026-11-21'
