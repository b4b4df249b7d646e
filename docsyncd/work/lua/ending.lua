-- How a run ends without success; shared by finish and by the take-over of a lost worker's key.

-- What outside tools see. Written before all else of its transition: a legacy key of the wrong type then refuses the
-- script while nothing has changed. A number that failed is pending again, as our mirror, which intake skips.
local function unmark(k, failed)
  local number = legacy_number(k)
  if number then
    redis.call('SREM', PROCESSING, number)
    if failed then
      redis.call('SADD', PENDING, number)
    end
    k.mirror = failed or nil
  end
end

-- The run is over: what was asked for meanwhile becomes what the key waits for. Returns its due time, or nil.
local function conclude(k)
  local due = tonumber(k.next_due)
  k.lane = k.next_lane and higher(k.lane, k.next_lane) or k.lane
  k.next_lane, k.next_due, k.next_insisted = nil, nil, nil
  return due
end

-- An operator asked for it while it ran: at once, as if it had never failed.
local function run_insisted(k)
  unmark(k, false)
  lift(k)
  conclude(k)
  k.attempts, k.probe, k.insisted = 0, nil, true
  await(k, now)
end

local function park(k, message)
  unmark(k, false)
  lift(k)
  local added = conclude(k)
  k.due = now + PARKED_RETRY
  if added then
    k.due = math.min(k.due, math.max(added, now + PARKED_ADD))
  end
  k.state, k.since, k.error, k.probe, k.insisted = 'parked', now, message, nil, nil
  place(k)
end

-- One more attempt is spent: wait, or park after the last.
local function fail(k, message, wait)
  k.attempts, k.error = k.attempts + 1, message
  if k.next_insisted then
    return run_insisted(k)
  end
  if k.probe or k.attempts >= ATTEMPTS then
    return park(k, message)
  end
  unmark(k, true)
  lift(k)
  conclude(k)
  k.backoff, k.insisted = wait > 0 or nil, nil
  await(k, now + wait)
end
