SELECT c.id AS contact_id 
FROM contact AS c LEFT OUTER JOIN contact_history_detail AS d ON d.organisation_id = 1 AND d.contact_id = c.id 
WHERE c.organisation_id = 1 AND c.state = 'living' AND coalesce(width_bucket(CAST(array_position(d.genres, 'dans') AS BIGINT) * 4294967296 + 2147483647, d.genre_dates) - width_bucket(CAST(array_position(d.genres, 'dans') AS BIGINT) * 4294967296 + -2147483649, d.genre_dates), 0) <= 0
