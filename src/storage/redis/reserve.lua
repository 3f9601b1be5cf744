-- Reserves an entry of an owner for a record that is about to be written. Returns when it was
-- reserved, the entries whose records must end, and some entries of a long index to check.
-- Running it twice has the same effect as once.
-- KEYS: index, pending, generation.
-- ARGV: entry, created, generation or '', limit, 'end' or 'refuse', ttl, 'checked' or '',
--       seconds after which a login has failed, key of the record that it replaces or ''
if ARGV[3] ~= '' and tonumber(redis.call('GET', KEYS[3]) or 0) > tonumber(ARGV[3]) then
  return { 'revoked', '', {}, {} }
end
local own = redis.call('ZSCORE', KEYS[1], ARGV[1]) and 1 or 0
local surplus = redis.call('ZCARD', KEYS[1]) - own - tonumber(ARGV[4]) + 1
local limited = tonumber(ARGV[4]) > 0
local replaced = 0
if limited and surplus > 0 and ARGV[9] ~= '' then
  -- There may be several entries for one key, but only one record.
  for _, entry in ipairs(redis.call('ZRANGE', KEYS[1], 0, -1)) do
    if string.sub(entry, 1, 32) == ARGV[9] and entry ~= ARGV[1] then
      replaced = replaced + 1
    end
  end
  surplus = surplus - replaced
end
local victims = {}
if limited and surplus > 0 then
  if ARGV[7] == '' then
    -- The caller first checks which of the records are live, and removes the other entries.
    return { 'full', '', {}, {} }
  end
  if ARGV[5] == 'refuse' and own == 0 then
    return { 'limit', '', {}, {} }
  end
  if ARGV[5] == 'end' then
    -- These entries stay in the index until their records have ended, so that every login counts
    -- them.
    for _, entry in ipairs(redis.call('ZRANGE', KEYS[1], 0, surplus - 1 + own + replaced)) do
      local stays = entry == ARGV[1] or string.sub(entry, 1, 32) == ARGV[9]
      if not stays and #victims < surplus then
        victims[#victims + 1] = entry
      end
    end
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
local suspects = {}
if not limited and redis.call('ZCARD', KEYS[1]) > 16 then
  for _, entry in ipairs(redis.call('ZRANDMEMBER', KEYS[1], 3)) do
    local pending = redis.call('HGET', KEYS[2], entry)
    if not pending or since - pending > tonumber(ARGV[8]) then
      suspects[#suspects + 1] = entry
    end
  end
end
return { 'done', since, victims, suspects }
