-- Begins a new generation of an owner; every entry.
-- KEYS: index, generation. ARGV: how long to keep the generation
redis.call('INCR', KEYS[2])
redis.call('PEXPIRE', KEYS[2], ARGV[1])
return redis.call('ZRANGE', KEYS[1], 0, -1)
