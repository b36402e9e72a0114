SELECT c.id AS contact_id 
FROM contact AS c 
WHERE c.organisation_id = 1 AND c.state = 'living' AND CAST(CAST('x' || substr(md5('a:' || CAST(c.id AS TEXT)), 1, 8) AS BIT(32)) AS BIGINT) %% 10000 < 10000
