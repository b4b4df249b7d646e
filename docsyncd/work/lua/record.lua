-- Shared by every transition: the server's clock, a key's record, and the indexes that it stands in.
-- Times are microseconds since the epoch by Redis TIME; doubles hold them exactly until the year 2255.
--
--   key:<key>             the record, JSON
--   ready:<lane>          sorted sets of keys by the time since when they are so, for people and for counts;
--   delayed:<lane>          what is active stands in tokens
--   parked:<lane>
--   run:<lane>            sorted set of what may be claimed: a key, or @<group> under its oldest key's due time
--   group:<lane>:<group>  sorted set of the ready keys of one group by due time
--   slots                 hash: group -> keys of it being worked on
--   agenda                sorted set of the keys that need attention at a time: delayed and parked ones when they are
--                           due, active ones when their lease ends
--   tokens                hash: lease token -> key that is being worked on
--
-- The record: state, lane, group, since, due, attempts, error, trace; while active token, fence, worker and slot (the
-- group whose slot the run occupies). probe: a parked key's single attempt. backoff: the delay is a back-off, which adds
-- do not shorten. insisted: an operator asked for it. mirror: our number stands in the legacy pending set, put there by
-- us. next_lane, next_due, next_insisted: what the run after this one shall be, once an active key was added again.
local P, PENDING, PROCESSING = KEYS[1], KEYS[2], KEYS[3]
local clock = redis.call('TIME')
local now = clock[1] * 1000000 + clock[2]

local LANES = {'interactive', 'normal', 'bulk'}
local RANK = {interactive = 1, normal = 2, bulk = 3}

local function int(number)
  return string.format('%.0f', number)
end

local function higher(one, other)
  return RANK[other] < RANK[one] and other or one
end

local function load(key)
  local record = redis.call('GET', P .. 'key:' .. key)
  if not record then
    return nil
  end
  local k = cjson.decode(record)
  k.since, k.due = tonumber(k.since), tonumber(k.due)
  return k
end

-- Times are kept as text: JSON numbers lose digits after the fourteenth.
local function save(k)
  local since, due = k.since, k.due
  k.since = int(since)
  k.due = due == since and k.since or int(due)
  redis.call('SET', P .. 'key:' .. k.key, cjson.encode(k))
  k.since, k.due = since, due
end

-- A group stands in the ring under its oldest key, unless none is ready or all its slots are taken.
local function refresh(lane, group)
  local oldest = redis.call('ZRANGE', P .. 'group:' .. lane .. ':' .. group, 0, 0, 'WITHSCORES')
  local taken = tonumber(redis.call('HGET', P .. 'slots', group) or 0)
  if oldest[1] and taken < GROUP_LIMIT then
    redis.call('ZADD', P .. 'run:' .. lane, oldest[2], '@' .. group)
  else
    redis.call('ZREM', P .. 'run:' .. lane, '@' .. group)
  end
end

local function occupy(group, change)
  if redis.call('HINCRBY', P .. 'slots', group, change) <= 0 then
    redis.call('HDEL', P .. 'slots', group)
  end
  for _, lane in ipairs(LANES) do
    refresh(lane, group)
  end
end

-- Take the key out of every index that its state put it in.
local function lift(k)
  if k.state == 'active' then
    redis.call('ZREM', P .. 'agenda', k.key)
    redis.call('HDEL', P .. 'tokens', k.token)
    if k.slot then
      occupy(k.slot, -1)
    end
    k.token, k.fence, k.worker, k.slot = nil, nil, nil, nil
    return
  end
  redis.call('ZREM', P .. k.state .. ':' .. k.lane, k.key)
  if k.state ~= 'ready' then
    redis.call('ZREM', P .. 'agenda', k.key)
  elseif k.group then
    redis.call('ZREM', P .. 'group:' .. k.lane .. ':' .. k.group, k.key)
    refresh(k.lane, k.group)
  else
    redis.call('ZREM', P .. 'run:' .. k.lane, k.key)
  end
end

-- Put the key into the indexes of its state, and keep its record.
local function place(k)
  save(k)
  if k.state == 'active' then
    redis.call('ZADD', P .. 'agenda', now + LEASE, k.key)
    redis.call('HSET', P .. 'tokens', k.token, k.key)
    if k.slot then
      occupy(k.slot, 1)
    end
    return
  end
  redis.call('ZADD', P .. k.state .. ':' .. k.lane, k.since, k.key)
  if k.state ~= 'ready' then
    redis.call('ZADD', P .. 'agenda', k.due, k.key)
  elseif k.group then
    redis.call('ZADD', P .. 'group:' .. k.lane .. ':' .. k.group, k.due, k.key)
    refresh(k.lane, k.group)
  else
    redis.call('ZADD', P .. 'run:' .. k.lane, k.due, k.key)
  end
end

-- The key waits from now on: ready if it is due, delayed until then if not.
local function await(k, due)
  k.due = due
  k.state = due <= now and 'ready' or 'delayed'
  k.since = k.state == 'ready' and due or now
  place(k)
end

local function forget(k)
  redis.call('DEL', P .. 'key:' .. k.key)
end

local function hint()
  redis.call('PUBLISH', P .. 'wakeup', '')
end

-- The Aktennummer that outside tools know the key by, or nil.
local function legacy_number(k)
  return MIRROR and string.match(k.key, '^case:(.*)$') or nil
end
