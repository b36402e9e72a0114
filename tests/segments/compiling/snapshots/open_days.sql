SELECT c.id AS contact_id 
FROM contact AS c JOIN contact_history AS h ON h.organisation_id = 1 AND h.contact_id = c.id 
WHERE c.organisation_id = 1 AND c.state = 'living' AND h.activity_dates[cardinality(h.activity_dates)] IS NOT NULL AND h.activity_dates[cardinality(h.activity_dates)] >= '2025-06-23' AND h.activity_dates[cardinality(h.activity_dates)] < '2026-11-21'
