SELECT c.id AS contact_id 
FROM contact AS c 
WHERE c.organisation_id = 1 AND c.state = 'living' AND 'vip' = ANY (CAST(lower(CAST(c.tags AS TEXT)) AS TEXT[]))
