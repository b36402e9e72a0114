WITH near AS MATERIALIZED 
(SELECT near.id AS id, near.postcode AS postcode 
FROM contact AS near 
WHERE near.organisation_id = 1 AND near.state = 'living' AND btrim(near.postcode) IN ('9000'))
 SELECT c.id AS contact_id 
FROM near AS c LEFT OUTER JOIN (SELECT p.contact_id AS contact_id, count(*) AS m0 
FROM participation AS p 
WHERE p.organisation_id = 1 AND p.contact_id IN (SELECT c.id 
FROM near AS c) AND p.is_valid AND p.activity_on >= '2025-11-20' GROUP BY p.contact_id) AS history ON history.contact_id = c.id 
WHERE coalesce(history.m0, 0) <= 0
