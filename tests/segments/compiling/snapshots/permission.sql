SELECT c.id AS contact_id 
FROM contact AS c LEFT OUTER JOIN (SELECT gate.contact_id AS contact_id 
FROM contactable AS gate 
WHERE gate.organisation_id = 1 AND gate.channel = 'email' AND gate.purpose = 'newsletter') AS gate_0 ON gate_0.contact_id = c.id 
WHERE c.organisation_id = 1 AND c.state = 'living' AND gate_0.contact_id IS NOT NULL
