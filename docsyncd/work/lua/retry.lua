-- retry(key, …): no key means every parked one. Returns how many the queue knew.
-- Ready at once, attempts forgotten, insisted; a key that is being worked on gets all that for its next run.
local function insist(k)
  if k.state == 'active' then
    k.next_lane, k.next_due, k.next_insisted = 'interactive', int(now), true
    save(k)
    return
  end
  lift(k)
  k.lane, k.attempts, k.probe, k.backoff, k.insisted = 'interactive', 0, nil, nil, true
  await(k, math.min(k.due, now))
end

local function all_parked()
  local keys = {}
  for _, lane in ipairs(LANES) do
    for _, key in ipairs(redis.call('ZRANGE', P .. 'parked:' .. lane, 0, -1)) do
      keys[#keys + 1] = key
    end
  end
  return keys
end

local function transition(...)
  local known = 0
  for _, key in ipairs(select('#', ...) > 0 and {...} or all_parked()) do
    local k = load(key)
    if k then
      insist(k)
      known = known + 1
    end
  end
  if known > 0 then
    hint()
  end
  return known
end
