SELECT c.id AS contact_id 
FROM contact AS c 
WHERE c.organisation_id = 1 AND c.state = 'living' AND (lower(btrim(c.municipality)) IN ('gent')) IS NOT true
