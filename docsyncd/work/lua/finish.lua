-- finish(key, token, fence, verdict, error, delay, jitter): returns the state that the key is in now, 'gone', or 'lost'
-- if the lease is not the caller's any more.
-- What a run ended with is remembered for one lease: the same request again gets the same answer.

local function backoff(attempts, jitter)
  return jitter * math.min(BACKOFF_CAP, BACKOFF * 2 ^ (attempts - 1))
end

-- In the lane of the adds that ask for it, which may be a lower one: this run's urgency is served.
local function once_more(k)
  unmark(k, false)
  lift(k)
  k.lane = k.next_lane
  k.attempts, k.error, k.trace, k.probe, k.insisted = 0, nil, nil, nil, nil
  await(k, conclude(k))
end

local function succeed(k)
  unmark(k, false)
  lift(k)
  forget(k)
  k.state = 'gone'
end

-- No attempt is counted. A run that was only released has not happened: it stays insisted.
local function look_again(k, delay, insisted)
  unmark(k, false)
  lift(k)
  k.insisted = insisted
  await(k, math.min(now + delay, conclude(k) or math.huge))
end

local function finish(k, verdict, message, delay, jitter)
  if verdict == 'retry' then
    return fail(k, message, math.max(delay, backoff(k.attempts + 1, jitter)))
  end
  k.error = message ~= '' and message or k.error
  if k.next_insisted then
    run_insisted(k)
  elseif verdict == 'park' then
    k.attempts = k.attempts + 1
    park(k, message)
  elseif verdict == 'again' then
    look_again(k, delay, nil)
  elseif verdict == 'release' then
    look_again(k, delay, k.insisted)
  elseif k.next_due then
    once_more(k)
  else
    succeed(k)
  end
end

local function transition(key, token, fence, verdict, message, delay, jitter)
  local receipt = P .. 'ended:' .. token
  local before = redis.call('GET', receipt)
  if before then
    local ended_fence, state = string.match(before, '^(%d+) (%a+)$')
    if ended_fence == fence then
      return state
    end
  end
  local k = load(key)
  if not k or k.token ~= token or k.fence ~= fence then
    return 'lost'
  end
  finish(k, verdict, message, delay, jitter)
  redis.call('SET', receipt, fence .. ' ' .. k.state, 'PX', math.ceil(LEASE / 1000))
  if k.state == 'ready' then
    hint()
  end
  return k.state
end
