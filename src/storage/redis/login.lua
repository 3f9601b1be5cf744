-- A login on a server that has all slots. It does what `reserve`, `create` and the confirmation
-- do. Then it does what `update` does to the replaced record, if there is one, and removes that
-- record's entry if both records have the same owner. `reserve`, `create` and `update` are the
-- scripts of these names, as functions of their keys and arguments. Returns the outcome of the
-- login, entries to check, the outcome for the replaced record, and that record's former header
-- if its entry is still to be removed.
-- KEYS: record, marks; index, pending and generation if it has an owner; the replaced record if
--       there is one.
-- ARGV: now, ttl, record, seconds for a login;
--       ttl of the replaced record, its new content, its expected version and its key, or four
--       times '';
--       those of `reserve` if it has an owner
local since, suspects = '', {}
local owned = #ARGV > 8
if owned then
  local reserved = reserve({ KEYS[3], KEYS[4], KEYS[5] }, { unpack(ARGV, 9) })
  if reserved[1] ~= 'done' then
    return { reserved[1], {}, '', '' }
  end
  since, suspects = reserved[2], reserved[4]
end
local created = create({ KEYS[1], KEYS[2] }, { ARGV[1], ARGV[2], ARGV[3], since, ARGV[4] })
if owned then
  redis.call('HDEL', KEYS[4], ARGV[9])
  if created ~= 'done' then
    redis.call('ZREM', KEYS[3], ARGV[9])
  end
end
-- "pushed" means that the record was created and that a later login has ended it.
if ARGV[8] == '' or created ~= 'done' and created ~= 'pushed' then
  return { created, suspects, '', '' }
end
local replaced = update({ KEYS[#KEYS] }, { ARGV[1], ARGV[5], ARGV[6], ARGV[7] })
local before = replaced[2]
if owned and string.sub(before, 41, 72) == string.sub(ARGV[3], 41, 72) then
  local entry = ARGV[8] .. string.sub(before, 1, 8)
  redis.call('ZREM', KEYS[3], entry)
  redis.call('HDEL', KEYS[4], entry)
  before = ''
end
return { created, suspects, replaced[1], before }
