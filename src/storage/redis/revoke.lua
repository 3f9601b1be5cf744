-- Begins a new generation of an owner. Returns every entry. A generation is a time, so that no
-- generation occurs again after it was deleted.
-- KEYS: index, generation. ARGV: how long to keep the generation
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local next = math.max(now, tonumber(redis.call('GET', KEYS[2]) or 0) + 1)
redis.call('SET', KEYS[2], string.format('%.0f', next), 'PX', ARGV[1])
return redis.call('ZRANGE', KEYS[1], 0, -1)
