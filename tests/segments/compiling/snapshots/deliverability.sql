SELECT c.id AS contact_id 
FROM contact AS c 
WHERE c.organisation_id = 1 AND c.state = 'living' AND (EXISTS (SELECT 1 
FROM identity AS i 
WHERE i.organisation_id = 1 AND i.contact_id = c.id AND i.kind = 'email' AND i.is_primary AND i.deliverability = 'bouncing'))
