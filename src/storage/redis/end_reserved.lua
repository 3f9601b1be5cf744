-- Deletes an owner's record. Returns 1 if it was live. The mark refuses a late or repeated
-- `create`.
-- KEYS: record, marks. ARGV: now, version that it was created with, mark, its ttl, owner
local found = redis.call('GETRANGE', KEYS[1], 0, 71)
local lived = 0
if #found == 72 and string.sub(found, 1, 8) == ARGV[2] and string.sub(found, 41, 72) == ARGV[5] then
  lived = struct.unpack('>I8', found, 33) > tonumber(ARGV[1]) and 1 or 0
  -- The deletion comes first, so that a full server has room for the mark.
  redis.call('DEL', KEYS[1])
end
redis.call('HSET', KEYS[2], ARGV[2], ARGV[3])
redis.call('PEXPIRE', KEYS[2], ARGV[4])
return lived
