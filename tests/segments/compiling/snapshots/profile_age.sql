SELECT c.id AS contact_id 
FROM contact AS c 
WHERE c.organisation_id = 1 AND c.state = 'living' AND (2026 - CAST(EXTRACT(year FROM c.birth_date) AS INTEGER)) - CASE WHEN (c.birth_month_day > 1120) THEN 1 ELSE 0 END IS NOT NULL AND (2026 - CAST(EXTRACT(year FROM c.birth_date) AS INTEGER)) - CASE WHEN (c.birth_month_day > 1120) THEN 1 ELSE 0 END >= 18 AND (2026 - CAST(EXTRACT(year FROM c.birth_date) AS INTEGER)) - CASE WHEN (c.birth_month_day > 1120) THEN 1 ELSE 0 END <= 30
