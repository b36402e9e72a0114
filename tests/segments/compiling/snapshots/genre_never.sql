SELECT c.id AS contact_id 
FROM contact AS c LEFT OUTER JOIN contact_history_genres AS g ON g.organisation_id = 1 AND g.contact_id = c.id 
WHERE c.organisation_id = 1 AND c.state = 'living' AND coalesce(width_bucket(CAST(array_position(g.genres, 'dans') AS BIGINT) * 4294967296 + 2147483647, g.genre_dates) - width_bucket(CAST(array_position(g.genres, 'dans') AS BIGINT) * 4294967296 + -2147483649, g.genre_dates), 0) <= 0
