-- Replaces a live record of the expected version, and never inserts; with it the header that was.
-- To run it twice does what once does, unless somebody else writes in between.
-- KEYS: record, marks if reserved. ARGV: now, ttl, record, since when reserved or '', seconds that a login may take, expected version
local found = redis.call('GETRANGE', KEYS[1], 0, 71)
if #found < 72 or struct.unpack('>I8', found, 33) <= tonumber(ARGV[1]) then
  return { 'missing', '' }
end
local owner = string.sub(ARGV[3], 41, 72)
local reservation = string.sub(ARGV[3], 1, 8)
-- Both are random: this has been written already.
local reserved = ARGV[4] ~= '' and string.sub(found, 1, 8) == reservation
if reserved or string.sub(found, 9, 16) == string.sub(ARGV[3], 9, 16) then
  return { 'done', found }
end
if string.sub(found, 9, 16) ~= ARGV[6] then
  return { 'conflict', '' }
end
if string.sub(found, 41, 72) == owner then
  reservation = string.sub(found, 1, 8)
elseif owner ~= string.rep('\0', 32) then
  if ARGV[4] == '' then
    return { 'moves', '' }
  end
  local mark = redis.call('HGET', KEYS[2], reservation)
  if mark == 'pushed' then
    redis.call('DEL', KEYS[1])
    return { 'pushed', found }
  elseif mark then
    return { mark, '' }
  end
  if tonumber(redis.call('TIME')[1]) - tonumber(ARGV[4]) > tonumber(ARGV[5]) then
    return { 'late', '' }
  end
end
redis.call('SET', KEYS[1], reservation .. string.sub(ARGV[3], 9), 'PX', ARGV[2])
return { 'done', found }
