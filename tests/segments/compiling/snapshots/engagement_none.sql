SELECT c.id AS contact_id 
FROM contact AS c LEFT OUTER JOIN (SELECT e.contact_id AS contact_id, count(*) FILTER (WHERE e.event = 'delivered' AND e.mailing_id = 7) AS e0, count(*) FILTER (WHERE e.event = 'clicked' AND e.occurred_on >= '2025-11-20' AND e.occurred_on < '2026-11-21' AND lower(btrim(e.campaign)) = 'zomer') AS e1 
FROM mail_event AS e 
WHERE e.organisation_id = 1 AND NOT e.is_machine AND e.event IN ('delivered', 'clicked') GROUP BY e.contact_id) AS mail ON mail.contact_id = c.id 
WHERE c.organisation_id = 1 AND c.state = 'living' AND mail.e0 >= 1 AND coalesce(mail.e1, 0) <= 0
