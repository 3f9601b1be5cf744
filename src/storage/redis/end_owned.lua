-- Deletes a record if it is this owner's; 1 if it lived. If it is not, a login
-- may be about to make it so: the mark stops that.
-- KEYS: record, mark. ARGV: now, owner, mark's name, its value, how long to keep it
local found = redis.call('HMGET', KEYS[1], 'o', 'e')
if found[1] == ARGV[2] then
  redis.call('DEL', KEYS[1])
  return tonumber(found[2]) > tonumber(ARGV[1]) and 1 or 0
end
redis.call('HSET', KEYS[2], ARGV[3], ARGV[4])
redis.call('PEXPIRE', KEYS[2], ARGV[5])
return 0
