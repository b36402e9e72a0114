SELECT c.id AS contact_id 
FROM contact AS c 
WHERE c.organisation_id = 1 AND c.state = 'living' AND nullif(lower(btrim(c.attributes ->> 'score')), '') IS NOT NULL AND CASE WHEN (nullif(lower(btrim(c.attributes ->> 'score')), '') ~ '^-?[0-9]{1,15}(\.[0-9]{1,15})?$') THEN CAST(nullif(lower(btrim(c.attributes ->> 'score')), '') AS NUMERIC) >= 5 ELSE (nullif(lower(btrim(c.attributes ->> 'score')), '') COLLATE "C") >= '5' END
