SELECT c.id AS contact_id 
FROM contact AS c LEFT OUTER JOIN contact_history AS h ON h.organisation_id = 1 AND h.contact_id = c.id 
WHERE c.organisation_id = 1 AND c.state = 'living' AND (('vip' = ANY (CAST(lower(CAST(c.tags AS TEXT)) AS TEXT[]))) IS NOT true OR true OR cardinality(h.activity_dates) >= 1)
