-- Deletes a record; what became of it, and its header if it was deleted. What keeps out a create
-- that arrives later: a mark in the record's place, if one is given (the later of two counts), else
-- one beside it.
-- KEYS: record, marks.
-- ARGV: mark as it is kept or '', how long to keep one at least, expected version or ''
local found = redis.call('GETRANGE', KEYS[1], 0, 71)
local marked = #found == 8
if #found == 72 and ARGV[3] ~= '' and string.sub(found, 9, 16) ~= ARGV[3] then
  return { 'conflict', '' }
end
if ARGV[1] ~= '' then
  local mark = struct.unpack('>I8', ARGV[1])
  if not marked or struct.unpack('>I8', found) < mark then
    -- Redis's clock need not be the caller's: kept for as long as either says.
    local left = math.max(mark - redis.call('TIME')[1] * 1000, tonumber(ARGV[2]))
    -- Deleted first: then a server that is full takes the mark, too.
    redis.call('DEL', KEYS[1])
    redis.call('SET', KEYS[1], ARGV[1], 'PX', math.min(left, 315360000000))
  end
elseif not marked then
  redis.call('DEL', KEYS[1])
  if #found == 72 then
    redis.call('HSET', KEYS[2], string.sub(found, 1, 8), 'revoked')
    redis.call('PEXPIRE', KEYS[2], ARGV[2])
  end
end
if #found == 0 or marked then
  return { 'missing', '' }
end
return { 'done', found }
