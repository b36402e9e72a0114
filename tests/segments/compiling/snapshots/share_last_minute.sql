SELECT c.id AS contact_id 
FROM contact AS c JOIN contact_history AS h ON h.organisation_id = 1 AND h.contact_id = c.id JOIN contact_history_leads AS l ON l.organisation_id = 1 AND l.contact_id = c.id JOIN LATERAL (SELECT count(line.key) AS number 
FROM unnest(l.lead_dates) AS line(key) 
WHERE EXTRACT(isodow FROM '2000-01-01' + CAST(line.key - ((line.key - -2147483648) >> 32) * 4294967296 AS INTEGER)) IN (1, 2, 3, 4, 5, 6, 7) AND (line.key - -2147483648) >> 32 >= 0 AND (line.key - -2147483648) >> 32 <= 30 AND CAST(line.key - ((line.key - -2147483648) >> 32) * 4294967296 AS INTEGER) > 9089 AND CAST(line.key - ((line.key - -2147483648) >> 32) * 4294967296 AS INTEGER) <= 9820
 LIMIT ALL OFFSET 0) AS counted_0 ON true 
WHERE c.organisation_id = 1 AND c.state = 'living' AND width_bucket('2026-11-20', h.activity_dates) - width_bucket('2024-11-19', h.activity_dates) >= 1 AND width_bucket(130996502527, l.lead_dates) - width_bucket(-2147483649, l.lead_dates) >= 1 AND counted_0.number >= 1 AND counted_0.number * 5 >= greatest(5, (width_bucket('2026-11-20', h.activity_dates) - width_bucket('2024-11-19', h.activity_dates)) * 2)
