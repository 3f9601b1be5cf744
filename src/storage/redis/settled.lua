-- Returns the entries of an owner whose records have been written or never will be.
-- KEYS: index, pending. ARGV: seconds after which a login has failed
local now = tonumber(redis.call('TIME')[1])
local settled = {}
for _, entry in ipairs(redis.call('ZRANGE', KEYS[1], 0, -1)) do
  local since = redis.call('HGET', KEYS[2], entry)
  if not since or now - tonumber(since) > tonumber(ARGV[1]) then
    settled[#settled + 1] = entry
  end
end
return settled
