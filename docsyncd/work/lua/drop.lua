-- drop(key): returns 1 if it was waiting or parked and is forgotten, else 0.
local function transition(key)
  local k = load(key)
  if not k or k.state == 'active' then
    return 0
  end
  local number = legacy_number(k)
  if number and k.mirror then
    redis.call('SREM', PENDING, number)
  end
  lift(k)
  forget(k)
  return 1
end
