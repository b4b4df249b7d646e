-- show(key), or show(state, limit): returns one row per key, oldest first.
local function row(k)
  return {
    k.key, k.state, k.lane, k.group or '', k.attempts, int(k.since), int(k.due), k.error or '', k.worker or '',
    k.next_due and 1 or 0,
  }
end

local function keys_in(state, limit)
  if state == 'active' then
    return redis.call('HVALS', P .. 'tokens')
  end
  local keys = {}
  for _, lane in ipairs(LANES) do
    for _, key in ipairs(redis.call('ZRANGE', P .. state .. ':' .. lane, 0, limit - 1)) do
      keys[#keys + 1] = key
    end
  end
  return keys
end

local function transition(subject, limit)
  local found = {}
  for i, key in ipairs(limit and keys_in(subject, limit) or {subject}) do
    found[i] = load(key)
  end
  table.sort(found, function(one, other) return one.since < other.since end)
  local rows = {}
  for i = 1, math.min(limit or 1, #found) do
    rows[i] = row(found[i])
  end
  return rows
end
