-- counts(): returns paused, then per lane (interactive, normal, bulk): ready, delayed, active, parked, and the age in
-- microseconds of the oldest key that waits to run, -1 for none.
local function transition()
  local active = {interactive = 0, normal = 0, bulk = 0}
  for _, key in ipairs(redis.call('HVALS', P .. 'tokens')) do
    local lane = load(key).lane
    active[lane] = active[lane] + 1
  end
  local reply = {redis.call('EXISTS', P .. 'paused')}
  for _, lane in ipairs(LANES) do
    local oldest = redis.call('ZRANGE', P .. 'ready:' .. lane, 0, 0, 'WITHSCORES')
    reply[#reply + 1] = {
      redis.call('ZCARD', P .. 'ready:' .. lane),
      redis.call('ZCARD', P .. 'delayed:' .. lane),
      active[lane],
      redis.call('ZCARD', P .. 'parked:' .. lane),
      oldest[1] and int(math.max(0, now - oldest[2])) or '-1',
    }
  end
  return reply
end
