SELECT c.id AS contact_id 
FROM contact AS c 
WHERE c.organisation_id = 1 AND c.state = 'living' AND CASE WHEN (jsonb_typeof(c.attributes -> 'likes') = 'array') THEN NOT (EXISTS (SELECT 1 
FROM jsonb_array_elements_text(CASE WHEN (jsonb_typeof(c.attributes -> 'likes') = 'array') THEN c.attributes -> 'likes' END) AS one 
WHERE lower(btrim(one.value)) IN ('circus', 'opera'))) ELSE (lower(btrim(c.attributes ->> 'likes')) IN ('circus', 'opera')) IS NOT true END
