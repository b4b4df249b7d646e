-- Adding one key: level-triggered, so that all depends on what the key is doing now.
-- True if this add changed when the key runs; false if it was waiting (or marked to run again) already.

-- Being worked on: once more afterwards, however often it is added meanwhile.
local function run_once_more(k, lane, due)
  local first = not k.next_due
  k.next_lane = first and lane or higher(k.next_lane, lane)
  k.next_due = int(first and due or math.min(k.next_due, due))
  save(k)
  return first
end

local function earliest(k, due)
  if k.state == 'parked' then
    return math.min(k.due, math.max(due, k.since + PARKED_ADD))
  elseif k.state == 'delayed' and not k.backoff then
    return math.min(k.due, due)
  end
  return k.due
end

local function offer(key, lane, group, due)
  group = group ~= '' and group or nil
  local k = load(key)
  if not k then
    await({key = key, lane = lane, group = group, attempts = 0}, due)
    return true
  end
  group = group or k.group
  if k.state == 'active' then
    k.group = group
    return run_once_more(k, lane, due)
  end
  lane, due = higher(k.lane, lane), earliest(k, due)
  local sooner = due < k.due
  if sooner or lane ~= k.lane or group ~= k.group then
    lift(k)
    k.lane, k.group = lane, group
    if sooner and k.state == 'delayed' then
      await(k, due)
    else
      k.due = due
      place(k)
    end
  end
  return sooner
end
