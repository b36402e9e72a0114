SELECT c.id AS contact_id 
FROM contact AS c JOIN contact_history_detail AS d ON d.organisation_id = 1 AND d.contact_id = c.id JOIN LATERAL (SELECT count(*) AS number 
FROM unnest(d.genres) WITH ORDINALITY AS genre(name, place) 
WHERE width_bucket(9820, d.genre_lasts) != cardinality(d.genres) AND width_bucket(CAST(genre.place AS BIGINT) * 4294967296 + 9820, d.genre_dates) > width_bucket(CAST(genre.place AS BIGINT) * 4294967296 + 9454, d.genre_dates)
 LIMIT ALL OFFSET 0) AS counted_0 ON true 
WHERE c.organisation_id = 1 AND c.state = 'living' AND cardinality(d.genres) - width_bucket(9454, d.genre_lasts) >= 1 AND CASE WHEN (width_bucket(9820, d.genre_lasts) = cardinality(d.genres)) THEN cardinality(d.genres) - width_bucket(9454, d.genre_lasts) ELSE counted_0.number END >= 1
