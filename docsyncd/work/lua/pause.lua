-- pause(paused): no expiry; a paused queue stays paused over a restart.
local function transition(paused)
  if paused then
    redis.call('SET', P .. 'paused', int(now))
  else
    redis.call('DEL', P .. 'paused')
    hint()
  end
  return 1
end
