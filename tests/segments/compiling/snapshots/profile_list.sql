SELECT c.id AS contact_id 
FROM contact AS c 
WHERE c.organisation_id = 1 AND c.state = 'living' AND CASE WHEN (jsonb_typeof(c.attributes -> 'likes') = 'array') THEN EXISTS (SELECT 1 
FROM jsonb_array_elements_text(CASE WHEN (jsonb_typeof(c.attributes -> 'likes') = 'array') THEN c.attributes -> 'likes' END) AS one 
WHERE strpos(lower(btrim(one.value)), 'dans') > 0) ELSE strpos(lower(btrim(c.attributes ->> 'likes')), 'dans') > 0 END
