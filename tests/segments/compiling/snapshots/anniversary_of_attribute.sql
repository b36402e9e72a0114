SELECT c.id AS contact_id 
FROM contact AS c 
WHERE c.organisation_id = 1 AND c.state = 'living' AND CASE WHEN ((c.attributes ->> 'joined') ~ '^[0-9]{4}-((0[13578]|1[02])-(0[1-9]|[12][0-9]|3[01])|(0[469]|11)-(0[1-9]|[12][0-9]|30)|02-(0[1-9]|[12][0-9]))($|[T ])') THEN CAST(substr(c.attributes ->> 'joined', 6, 2) || substr(c.attributes ->> 'joined', 9, 2) AS INTEGER) END BETWEEN 1120 AND 1126
