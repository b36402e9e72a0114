SELECT c.id AS contact_id 
FROM contact AS c 
WHERE c.organisation_id = 1 AND c.state = 'living' AND (c.birth_month_day BETWEEN 1113 AND 1231 OR c.birth_month_day BETWEEN 101 AND 118)
