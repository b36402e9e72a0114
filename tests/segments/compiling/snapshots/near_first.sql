SELECT c.id AS contact_id 
FROM contact AS c LEFT OUTER JOIN contact_history AS h ON h.organisation_id = 1 AND h.contact_id = c.id 
WHERE c.organisation_id = 1 AND c.state = 'living' AND lower(btrim(c.postcode)) IN ('9000') AND coalesce(cardinality(h.activity_dates) - width_bucket('2025-11-19', h.activity_dates), 0) <= 0
