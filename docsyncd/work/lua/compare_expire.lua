-- compare_expire(value, milliseconds): KEYS[1] = a lock. Returns 1 if it is still the caller's, and extended.
local function transition(value, milliseconds)
  return redis.call('GET', KEYS[1]) == value and redis.call('PEXPIRE', KEYS[1], milliseconds) or 0
end
