-- claim(token, worker): returns the claim, or false.
-- Each call first attends to a bounded part of what the agenda has due, so that one call stays short.
local BATCH = 32

local function answer(k)
  return {k.key, k.fence, k.attempts + 1, k.lane, k.group or '', k.trace, k.insisted and 1 or 0}
end

-- A delay has ended, a parked key has earned its attempt, or a worker was lost.
local function attend(k)
  if k.state == 'active' then
    return fail(k, 'worker lost', 0)
  end
  lift(k)
  k.probe = k.probe or k.state == 'parked' or nil
  k.backoff = nil
  await(k, k.due)
end

local function oldest(lane)
  local unit = redis.call('ZRANGE', P .. 'run:' .. lane, 0, 0)[1]
  if unit and string.sub(unit, 1, 1) == '@' then
    unit = redis.call('ZRANGE', P .. 'group:' .. lane .. ':' .. string.sub(unit, 2), 0, 0)[1]
  end
  return unit
end

local function show_outside(k)
  local number = legacy_number(k)
  if number then
    redis.call('SADD', PROCESSING, number)
    if k.mirror then
      redis.call('SREM', PENDING, number)
    end
    k.mirror = nil
  end
end

local function take(k, token, worker)
  show_outside(k)
  -- Time comes in so that a fence cannot go back when a failover loses the stored one.
  local fence = int(math.max((redis.call('GET', P .. 'fence') or 0) + 1, now))
  redis.call('SET', P .. 'fence', fence)
  lift(k)
  k.state, k.since, k.token, k.fence, k.worker, k.slot = 'active', now, token, fence, worker, k.group
  k.trace = k.trace or string.sub(redis.sha1hex(k.key .. fence), 1, 32)
  place(k)
  return answer(k)
end

-- Once in a call, however many claims travel in it.
local paused
local function tidy()
  if paused == nil then
    for _, key in ipairs(redis.call('ZRANGEBYSCORE', P .. 'agenda', '-inf', now, 'LIMIT', 0, BATCH)) do
      attend(load(key))
    end
    paused = redis.call('EXISTS', P .. 'paused') == 1
  end
end

local function transition(token, worker)
  -- The same token again: its reply was lost, so the lease starts anew.
  local held = redis.call('HGET', P .. 'tokens', token)
  if held then
    redis.call('ZADD', P .. 'agenda', now + LEASE, held)
    return answer(load(held))
  end
  tidy()
  for _, lane in ipairs(paused and {} or LANES) do
    local key = oldest(lane)
    if key then
      return take(load(key), token, worker)
    end
  end
  return false
end
