-- Replaces a live record of the expected version and never inserts. Returns the outcome and the
-- header from before. Running it twice has the same effect as once, unless another write comes in
-- between.
-- KEYS: record. ARGV: now, ttl, record, expected version
local found = redis.call('GETRANGE', KEYS[1], 0, 71)
if #found < 72 or struct.unpack('>I8', found, 33) <= tonumber(ARGV[1]) then
  return { 'missing', '' }
end
local version, owner = string.sub(found, 9, 16), string.sub(found, 41, 72)
-- The version is random: if it is equal, the call is a repeated one.
if version == string.sub(ARGV[3], 9, 16) then
  return { 'done', found }
end
if version ~= ARGV[4] then
  return { 'conflict', '' }
end
local next = string.sub(ARGV[3], 41, 72)
if next ~= owner and next ~= string.rep('\0', 32) then
  return { 'owner', '' }
end
redis.call('SET', KEYS[1], string.sub(found, 1, 8) .. string.sub(ARGV[3], 9), 'PX', ARGV[2])
return { 'done', found }
