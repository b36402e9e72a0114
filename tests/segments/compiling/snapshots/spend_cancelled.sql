SELECT c.id AS contact_id 
FROM contact AS c LEFT OUTER JOIN (SELECT p.contact_id AS contact_id, sum(p.amount) AS m0 
FROM participation AS p 
WHERE p.organisation_id = 1 AND p.status IN ('cancelled') GROUP BY p.contact_id) AS history ON history.contact_id = c.id 
WHERE c.organisation_id = 1 AND c.state = 'living' AND coalesce(history.m0, 0) <= 5
