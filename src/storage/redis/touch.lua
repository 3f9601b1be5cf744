-- Moves the times of a live record forwards and changes nothing else. Returns the header from
-- before, or false if there is no live record.
-- KEYS: record. ARGV: last seen, expires, both in the record's format
local found = redis.call('GETRANGE', KEYS[1], 0, 71)
local seen, expires = struct.unpack('>I8', ARGV[1]), struct.unpack('>I8', ARGV[2])
if #found < 72 or struct.unpack('>I8', found, 33) <= seen then
  return false
end
if seen > struct.unpack('>I8', found, 25) then
  redis.call('SETRANGE', KEYS[1], 24, ARGV[1])
end
if expires > struct.unpack('>I8', found, 33) then
  redis.call('SETRANGE', KEYS[1], 32, ARGV[2])
  redis.call('PEXPIRE', KEYS[1], math.min(expires - seen, 315360000000))
end
return found
