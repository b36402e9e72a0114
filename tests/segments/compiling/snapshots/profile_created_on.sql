SELECT c.id AS contact_id 
FROM contact AS c 
WHERE c.organisation_id = 1 AND c.state = 'living' AND CAST(timezone('Europe/Brussels', c.created_at) AS DATE) IS NOT NULL AND CAST(timezone('Europe/Brussels', c.created_at) AS DATE) >= '2025-01-01'
