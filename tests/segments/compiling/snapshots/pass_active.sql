SELECT c.id AS contact_id 
FROM contact AS c 
WHERE c.organisation_id = 1 AND c.state = 'living' AND (EXISTS (SELECT 1 
FROM pass AS p 
WHERE p.organisation_id = 1 AND p.contact_id = c.id AND p.programme = 'uitpas' AND (p.valid_from IS NULL OR p.valid_from <= '2026-11-20') AND p.status = 'valid' AND (p.expires_on IS NULL OR p.expires_on >= '2026-11-20') AND p.expires_on IS NOT NULL AND p.expires_on >= '2026-11-20' AND p.expires_on < '2026-12-20' AND p.points >= 5))
