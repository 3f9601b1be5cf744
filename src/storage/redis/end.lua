-- Deletes a record; its header, or false.
-- KEYS: record
local found = redis.call('GETRANGE', KEYS[1], 0, 71)
return redis.call('DEL', KEYS[1]) == 1 and found
