SELECT c.id AS contact_id 
FROM contact AS c JOIN contact_history AS h ON h.organisation_id = 1 AND h.contact_id = c.id JOIN contact_history_detail AS d ON d.organisation_id = 1 AND d.contact_id = c.id JOIN LATERAL (SELECT count(*) AS number 
FROM unnest(h.activity_dates[width_bucket('2024-11-19', h.activity_dates) + 1:width_bucket('2026-11-20', h.activity_dates)], d.lead_days[width_bucket('2024-11-19', h.activity_dates) + 1:width_bucket('2026-11-20', h.activity_dates)]) AS line(day, lead) 
WHERE EXTRACT(isodow FROM line.day) IN (1, 2, 3, 4, 5, 6, 7) AND line.lead >= 0 AND line.lead <= 30
 LIMIT ALL OFFSET 0) AS counted_0 ON true 
WHERE c.organisation_id = 1 AND c.state = 'living' AND width_bucket('2026-11-20', h.activity_dates) - width_bucket('2024-11-19', h.activity_dates) >= 1 AND (width_bucket(30, d.sorted_lead_days) - width_bucket(-1, d.sorted_lead_days)) * 5 >= greatest(5, (width_bucket('2026-11-20', h.activity_dates) - width_bucket('2024-11-19', h.activity_dates)) * 2) AND counted_0.number * 5 >= greatest(5, (width_bucket('2026-11-20', h.activity_dates) - width_bucket('2024-11-19', h.activity_dates)) * 2)
