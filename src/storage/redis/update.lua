-- Replaces a live record of the expected version; never inserts.
-- KEYS: record, mark. ARGV: now, ttl, version, owner, generation or '', created, seen, expires, payload, reservation, expected
local found = redis.call('HMGET', KEYS[1], 'v', 'e', 'o')
if not found[1] or tonumber(found[2]) <= tonumber(ARGV[1]) then
  return { 'missing' }
end
if found[1] ~= ARGV[11] then
  return { 'conflict' }
end
if found[3] ~= ARGV[4] then
  -- The owners' indexes come first; without a generation they have not been asked.
  if ARGV[5] == '' then
    return { 'moves', found[3] }
  end
  if redis.call('HEXISTS', KEYS[2], 'pushed:' .. ARGV[10]) == 1 then
    redis.call('DEL', KEYS[1])
    return { 'pushed' }
  end
  local revoked = redis.call('HGET', KEYS[2], ARGV[4])
  if revoked and tonumber(ARGV[5]) < tonumber(revoked) then
    return { 'revoked' }
  end
end
redis.call('HSET', KEYS[1], 'v', ARGV[3], 'o', ARGV[4], 'c', ARGV[6], 's', ARGV[7], 'e', ARGV[8], 'p', ARGV[9])
redis.call('PEXPIRE', KEYS[1], ARGV[2])
return { 'done' }
