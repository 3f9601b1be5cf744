-- Inserts a record; never overwrites a live one. To run it twice does what once does.
-- KEYS: record, marks if reserved. ARGV: now, ttl, record, since when reserved or '', seconds that a login may take
local found = redis.call('GETRANGE', KEYS[1], 0, 39)
if #found == 40 and struct.unpack('>I8', found, 33) > tonumber(ARGV[1]) then
  -- Both are random: the same only if it is this very record, whoever has changed it since.
  local reservation, version = string.sub(ARGV[3], 1, 8), string.sub(ARGV[3], 9, 16)
  local reserved = ARGV[4] ~= '' and string.sub(found, 1, 8) == reservation
  return (reserved or string.sub(found, 9, 16) == version) and 'done' or 'exists'
end
if #found == 8 and struct.unpack('>I8', found) > tonumber(ARGV[1]) then
  return 'revoked'
end
if ARGV[4] ~= '' then
  -- A revocation or a limit that found the reservation left a mark.
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
