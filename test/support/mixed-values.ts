/** A query whose rows have one column of each plain type, with NULL, NaN and values beyond a JS number. */
export const MIXED = `SELECT * FROM (VALUES
  (1, 10::BIGINT, 0.5, 'a', DATE '2024-01-02', true, TIMESTAMPTZ '2024-01-02 03:04:05+00', 1.25::DECIMAL(9,2)),
  (NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL),
  (2, 9007199254740993, 'nan'::DOUBLE, '贵州茅台', DATE '1969-12-31', false, TIMESTAMPTZ '1969-12-31 23:59:59+00', -1))
  t(i, b, d, t, day, f, ts, dec)`
