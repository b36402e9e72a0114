SELECT c.id AS contact_id 
FROM contact AS c 
WHERE c.organisation_id = 1 AND c.state = 'living' AND (EXISTS (SELECT 1 
FROM enrolment AS n 
WHERE n.organisation_id = 1 AND c.id = n.contact_id AND n.journey_id = 1 AND n.entered_on <= '2026-11-20' AND (n.left_on IS NULL OR n.left_on > '2026-11-20')))
