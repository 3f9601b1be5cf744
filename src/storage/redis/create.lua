-- Inserts a record and never overwrites a live one. Running it twice has the same effect as once.
-- KEYS: record, marks. ARGV: now, ttl, record, when it was reserved or '', seconds for a login
local first = string.sub(ARGV[3], 1, 8)
local found = redis.call('GETRANGE', KEYS[1], 0, 39)
if #found == 40 and struct.unpack('>I8', found, 33) > tonumber(ARGV[1]) then
  -- The first version is random: if it is equal, the call is a repeated one.
  return string.sub(found, 1, 8) == first and 'done' or 'exists'
end
if #found == 8 and struct.unpack('>I8', found) > tonumber(ARGV[1]) then
  return 'revoked'
end
-- An end of this record, or of its entry, may have left a mark beside it.
local mark = redis.call('HGET', KEYS[2], first)
if mark then
  return mark
end
if ARGV[4] ~= '' and tonumber(redis.call('TIME')[1]) - tonumber(ARGV[4]) > tonumber(ARGV[5]) then
  return 'late'
end
redis.call('SET', KEYS[1], ARGV[3], 'PX', ARGV[2])
return 'done'
