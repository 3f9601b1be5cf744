-- Deletes the record that was written for a reservation; 1 if it lived. If there is none it may
-- be about to be written: the mark stops that.
-- KEYS: record, marks. ARGV: now, reservation, mark, how long to keep it
local found = redis.call('GETRANGE', KEYS[1], 0, 71)
if string.sub(found, 1, 8) == ARGV[2] then
  redis.call('DEL', KEYS[1])
  return struct.unpack('>I8', found, 33) > tonumber(ARGV[1]) and 1 or 0
end
redis.call('HSET', KEYS[2], ARGV[2], ARGV[3])
redis.call('PEXPIRE', KEYS[2], ARGV[4])
return 0
