-- Removes entries whose records are gone, but none that is about to be written.
-- KEYS: index, pending. ARGV: seconds that a login may take, records…
local now = tonumber(redis.call('TIME')[1])
for at = 2, #ARGV do
  local since = redis.call('HGET', KEYS[2], ARGV[at])
  if not since or now - tonumber(string.match(since, '^%d+')) > tonumber(ARGV[1]) then
    redis.call('ZREM', KEYS[1], ARGV[at])
    redis.call('HDEL', KEYS[2], ARGV[at])
  end
end
return 0
