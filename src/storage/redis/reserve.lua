-- Gives an owner an entry for a record that is about to be written.
-- KEYS: index, pending, generation.
-- ARGV: record, created, generation or '', limit, 'end' or 'refuse', ttl, 'checked' or '', reservation
local generation = redis.call('GET', KEYS[3]) or '0'
if ARGV[3] ~= '' and tonumber(generation) > tonumber(ARGV[3]) then
  return { 'revoked' }
end
local had = redis.call('ZSCORE', KEYS[1], ARGV[1])
local surplus = redis.call('ZCARD', KEYS[1]) - tonumber(ARGV[4]) + 1
local victims = {}
if tonumber(ARGV[4]) > 0 and not had and surplus > 0 then
  if ARGV[7] == '' then
    -- The caller first finds out which of them still live.
    return { 'full' }
  end
  if ARGV[5] == 'refuse' then
    return { 'limit' }
  end
  -- Each with its reservation, should it not have been written yet.
  for _, victim in ipairs(redis.call('ZRANGE', KEYS[1], 0, surplus - 1)) do
    local pending = redis.call('HGET', KEYS[2], victim) or ''
    victims[#victims + 1] = victim
    victims[#victims + 1] = string.match(pending, ':(.*)$') or ''
    redis.call('ZREM', KEYS[1], victim)
    redis.call('HDEL', KEYS[2], victim)
  end
end
redis.call('ZADD', KEYS[1], ARGV[2], ARGV[1])
if not had then
  redis.call('HSET', KEYS[2], ARGV[1], redis.call('TIME')[1] .. ':' .. ARGV[8])
end
for _, key in ipairs({ KEYS[1], KEYS[2] }) do
  if redis.call('PTTL', key) < tonumber(ARGV[6]) then
    redis.call('PEXPIRE', key, ARGV[6])
  end
end
return { 'done', generation, had and 'had' or 'new', unpack(victims) }
