SELECT c.id AS contact_id 
FROM contact AS c JOIN contact_history_genres AS g ON g.organisation_id = 1 AND g.contact_id = c.id 
WHERE c.organisation_id = 1 AND c.state = 'living' AND cardinality(g.genre_lasts) - width_bucket(9454, g.genre_lasts) >= 1 AND (width_bucket(9820, g.genre_lasts) - width_bucket(9454, g.genre_lasts) >= 1 OR CASE WHEN (width_bucket(9820, g.genre_lasts) = cardinality(g.genre_lasts)) THEN cardinality(g.genre_lasts) - width_bucket(9454, g.genre_lasts) ELSE count_genres(g.genre_dates, 9454, 9820) END >= 1)
