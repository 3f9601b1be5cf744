-- Begins a new generation of an owner; every entry. Generations go by the clock, so that none is
-- met again after they were forgotten.
-- KEYS: index, generation. ARGV: how long to keep the generation
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local next = math.max(now, tonumber(redis.call('GET', KEYS[2]) or 0) + 1)
redis.call('SET', KEYS[2], string.format('%.0f', next), 'PX', ARGV[1])
return redis.call('ZRANGE', KEYS[1], 0, -1)
