-- undo_due(name, token): KEYS[1] = hash of names. Returns 1 if the interval was the caller's and is due again.
local function transition(name, token)
  local holder = string.match(redis.call('HGET', KEYS[1], name) or '', '^%d+ (.*)$')
  return holder == token and redis.call('HDEL', KEYS[1], name) or 0
end
