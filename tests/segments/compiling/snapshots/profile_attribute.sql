SELECT c.id AS contact_id 
FROM contact AS c 
WHERE c.organisation_id = 1 AND c.state = 'living' AND CASE WHEN (jsonb_typeof(c.attributes -> 'score') = 'array') THEN EXISTS (SELECT 1 
FROM jsonb_array_elements_text(CASE WHEN (jsonb_typeof(c.attributes -> 'score') = 'array') THEN c.attributes -> 'score' END) AS one 
WHERE nullif(lower(btrim(one.value)), '') IS NOT NULL AND CASE WHEN (nullif(lower(btrim(one.value)), '') ~ '^-?[0-9]{1,15}(\.[0-9]{1,15})?$') THEN CAST(nullif(lower(btrim(one.value)), '') AS NUMERIC) >= 5 ELSE (nullif(lower(btrim(one.value)), '') COLLATE "C") >= '5' END) ELSE nullif(lower(btrim(c.attributes ->> 'score')), '') IS NOT NULL AND CASE WHEN (nullif(lower(btrim(c.attributes ->> 'score')), '') ~ '^-?[0-9]{1,15}(\.[0-9]{1,15})?$') THEN CAST(nullif(lower(btrim(c.attributes ->> 'score')), '') AS NUMERIC) >= 5 ELSE (nullif(lower(btrim(c.attributes ->> 'score')), '') COLLATE "C") >= '5' END END
