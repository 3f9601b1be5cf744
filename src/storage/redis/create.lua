-- Inserts a record; never overwrites a live one.
-- KEYS: record, mark. ARGV: now, ttl, version, owner, generation, created, seen, expires, payload, reservation
local expires = redis.call('HGET', KEYS[1], 'e')
if expires and tonumber(expires) > tonumber(ARGV[1]) then
  return 'exists'
end
-- A later login of an owner with a limit may have pushed this one out already.
if redis.call('HEXISTS', KEYS[2], 'pushed:' .. ARGV[10]) == 1 then
  return 'pushed'
end
-- An owner who was revoked while this login was under way left a mark.
local revoked = redis.call('HGET', KEYS[2], ARGV[4])
if ARGV[4] ~= '' and revoked and tonumber(ARGV[5]) < tonumber(revoked) then
  return 'revoked'
end
redis.call('DEL', KEYS[1])
redis.call('HSET', KEYS[1], 'v', ARGV[3], 'o', ARGV[4], 'c', ARGV[6], 's', ARGV[7], 'e', ARGV[8], 'p', ARGV[9])
redis.call('PEXPIRE', KEYS[1], ARGV[2])
return 'done'
