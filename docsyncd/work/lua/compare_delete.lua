-- compare_delete(value): KEYS[1] = a lock. Returns 1 if it was the caller's and is released.
local function transition(value)
  return redis.call('GET', KEYS[1]) == value and redis.call('DEL', KEYS[1]) or 0
end
