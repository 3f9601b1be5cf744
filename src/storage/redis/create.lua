-- Inserts a record; never overwrites a live one. To run it twice does what once does.
-- KEYS: record, marks. ARGV: now, ttl, record, since when reserved or '', seconds that a login may take
local first = string.sub(ARGV[3], 1, 8)
local found = redis.call('GETRANGE', KEYS[1], 0, 39)
if #found == 40 and struct.unpack('>I8', found, 33) > tonumber(ARGV[1]) then
  -- It is random: the same only if it is this very record, whoever has changed it since.
  return string.sub(found, 1, 8) == first and 'done' or 'exists'
end
if #found == 8 and struct.unpack('>I8', found) > tonumber(ARGV[1]) then
  return 'revoked'
end
-- Whoever has ended the record, or what reserved its place, may have left a mark beside it.
local mark = redis.call('HGET', KEYS[2], first)
if mark then
  return mark
end
if ARGV[4] ~= '' and tonumber(redis.call('TIME')[1]) - tonumber(ARGV[4]) > tonumber(ARGV[5]) then
  return 'late'
end
redis.call('SET', KEYS[1], ARGV[3], 'PX', ARGV[2])
return 'done'
