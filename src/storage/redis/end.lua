-- Deletes a record; its owner and expiry, or false.
-- KEYS: record
local found = redis.call('HMGET', KEYS[1], 'o', 'e')
if redis.call('DEL', KEYS[1]) == 0 then
  return false
end
return found
