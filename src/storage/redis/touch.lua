-- Moves the times of a live record forwards and nothing else; its owner, or false.
-- KEYS: record. ARGV: seen, expires
local found = redis.call('HMGET', KEYS[1], 's', 'e', 'o')
if not found[1] or tonumber(found[2]) <= tonumber(ARGV[1]) then
  return false
end
if tonumber(ARGV[1]) > tonumber(found[1]) then
  redis.call('HSET', KEYS[1], 's', ARGV[1])
end
local longer = tonumber(ARGV[2]) - tonumber(found[2])
if longer > 0 then
  redis.call('HSET', KEYS[1], 'e', ARGV[2])
  redis.call('PEXPIRE', KEYS[1], math.min(tonumber(ARGV[2]) - tonumber(ARGV[1]), 315360000000))
end
return found[3]
