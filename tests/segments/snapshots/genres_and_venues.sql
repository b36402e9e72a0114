SELECT c.id AS contact_id 
FROM contact AS c LEFT OUTER JOIN (SELECT p.contact_id AS contact_id, bit_count(bit_or(facts.genres)) AS m0, count(DISTINCT facts.venue) AS m1, count(DISTINCT p.activity_on) AS m2 
FROM participation AS p JOIN (SELECT a.id AS id, genre_bits.genres AS genres, CASE WHEN (lower(btrim(a.venue)) IS NOT NULL) THEN dense_rank() OVER (ORDER BY lower(btrim(a.venue))) END AS venue 
FROM activity AS a LEFT OUTER JOIN (SELECT each.id AS id, bit_or(set_bit(CAST(repeat('0', numbered.total) AS BIT VARYING), numbered.number, 1)) AS genres 
FROM (SELECT g.id AS id, unnest(CAST(lower(CAST(g.genres AS TEXT)) AS TEXT[])) AS genre 
FROM activity AS g 
WHERE g.organisation_id = 1) AS each JOIN (SELECT genre.genre AS genre, CAST(row_number() OVER () - 1 AS INTEGER) AS number, CAST(count(*) OVER () AS INTEGER) AS total 
FROM (SELECT DISTINCT each.genre AS genre 
FROM (SELECT g.id AS id, unnest(CAST(lower(CAST(g.genres AS TEXT)) AS TEXT[])) AS genre 
FROM activity AS g 
WHERE g.organisation_id = 1) AS each 
WHERE each.genre IS NOT NULL) AS genre) AS numbered ON numbered.genre = each.genre GROUP BY each.id) AS genre_bits ON genre_bits.id = a.id 
WHERE a.organisation_id = 1
 LIMIT ALL OFFSET 0) AS facts ON facts.id = p.activity_id 
WHERE p.organisation_id = 1 AND p.is_valid GROUP BY p.contact_id) AS history ON history.contact_id = c.id 
WHERE c.organisation_id = 1 AND c.state = 'living' AND history.m0 >= 1 AND history.m1 >= 1 AND history.m2 >= 1
