-- Gives an owner an entry for a record that is about to be written; since when it stands, and
-- the entries that had to make room.
-- KEYS: index, pending, generation.
-- ARGV: entry, created, generation or '', limit, 'end' or 'refuse', ttl, 'checked' or ''
if ARGV[3] ~= '' and tonumber(redis.call('GET', KEYS[3]) or 0) > tonumber(ARGV[3]) then
  return { 'revoked', '', {} }
end
local surplus = redis.call('ZCARD', KEYS[1]) - tonumber(ARGV[4]) + 1
local victims = {}
if tonumber(ARGV[4]) > 0 and surplus > 0 then
  if ARGV[7] == '' then
    -- The caller first finds out which of them still live.
    return { 'full', '', {} }
  end
  if ARGV[5] == 'refuse' then
    return { 'limit', '', {} }
  end
  victims = redis.call('ZRANGE', KEYS[1], 0, surplus - 1)
  for _, victim in ipairs(victims) do
    redis.call('ZREM', KEYS[1], victim)
    redis.call('HDEL', KEYS[2], victim)
  end
end
local since = redis.call('TIME')[1]
redis.call('ZADD', KEYS[1], ARGV[2], ARGV[1])
redis.call('HSET', KEYS[2], ARGV[1], since)
for _, key in ipairs({ KEYS[1], KEYS[2] }) do
  if redis.call('PTTL', key) < tonumber(ARGV[6]) then
    redis.call('PEXPIRE', key, ARGV[6])
  end
end
return { 'done', since, victims }
