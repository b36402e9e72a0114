SELECT c.id AS contact_id 
FROM contact AS c JOIN contact_history_genres AS g ON g.organisation_id = 1 AND g.contact_id = c.id 
WHERE c.organisation_id = 1 AND c.state = 'living' AND (g.genres @> ARRAY['dans']) AND width_bucket(CAST(array_position(g.genres, 'dans') AS BIGINT) * 4294967296 + 9820, g.genre_dates) - width_bucket(CAST(array_position(g.genres, 'dans') AS BIGINT) * 4294967296 + 9454, g.genre_dates) >= 1
