-- take(value, milliseconds): KEYS[1] = a lock. Returns 1 if it is the caller's.
-- Taken already with the same value: the reply was lost.
local function transition(value, milliseconds)
  if redis.call('GET', KEYS[1]) == value then
    return redis.call('PEXPIRE', KEYS[1], milliseconds)
  end
  return redis.call('SET', KEYS[1], value, 'NX', 'PX', milliseconds) and 1 or 0
end
