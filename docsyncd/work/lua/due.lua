-- due(name, interval, token): KEYS[1] = hash of names. Returns 1 for one caller per interval (microseconds).
-- The value is "<start> <token>"; the same token again gets the same answer, because its reply was lost.
-- The start is compared with the interval now asked for, so that a shortened interval counts at once.
local function transition(name, interval, token)
  local clock = redis.call('TIME')
  local now = clock[1] * 1000000 + clock[2]
  local start, holder = string.match(redis.call('HGET', KEYS[1], name) or '', '^(%d+) (.*)$')
  if holder == token then
    return 1
  end
  -- A start in the future means that the clock was set back (a failover): due.
  if start and now >= tonumber(start) and now < start + interval then
    return 0
  end
  redis.call('HSET', KEYS[1], name, string.format('%.0f', now) .. ' ' .. token)
  return 1
end
