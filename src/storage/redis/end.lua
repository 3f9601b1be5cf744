-- Deletes a record. Returns the outcome, and the header of a deleted record. If a mark is given,
-- it takes the record's place (the later of two marks stays). Otherwise a mark beside the record
-- refuses a late `create` of this record.
-- KEYS: record, marks.
-- ARGV: mark in the record's format or '', shortest time to keep a mark, expected version or ''
local found = redis.call('GETRANGE', KEYS[1], 0, 71)
local marked = #found == 8
if #found == 72 and ARGV[3] ~= '' and string.sub(found, 9, 16) ~= ARGV[3] then
  return { 'conflict', '' }
end
if ARGV[1] ~= '' then
  local mark = struct.unpack('>I8', ARGV[1])
  if not marked or struct.unpack('>I8', found) < mark then
    -- Redis's clock may differ from the caller's, so the longer of the two times counts.
    local left = math.max(mark - redis.call('TIME')[1] * 1000, tonumber(ARGV[2]))
    -- The deletion comes first, so that a full server has room for the mark.
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
