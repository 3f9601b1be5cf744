-- Inserts a record; never overwrites a live one.
-- KEYS: record, marks. ARGV: now, ttl, record, since when reserved or '', seconds that a login may take
local expires = redis.call('GETRANGE', KEYS[1], 32, 39)
if #expires == 8 and struct.unpack('>I8', expires) > tonumber(ARGV[1]) then
  return 'exists'
end
if ARGV[4] ~= '' then
  -- A revocation or a limit that found the reservation without its record left a mark.
  local mark = redis.call('HGET', KEYS[2], string.sub(ARGV[3], 1, 8))
  if mark then
    return mark
  end
  if tonumber(redis.call('TIME')[1]) - tonumber(ARGV[4]) > tonumber(ARGV[5]) then
    return 'late'
  end
end
redis.call('SET', KEYS[1], ARGV[3], 'PX', ARGV[2])
return 'done'
