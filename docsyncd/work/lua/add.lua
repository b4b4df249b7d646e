-- add(offers): each offer is {key, lane, group, delay}. Returns how many were not waiting already.
-- A microsecond between offers keeps the caller's order among keys that are due at once.
local function transition(offers)
  local added = 0
  for _, it in ipairs(offers) do
    now = now + 1
    if offer(it[1], it[2], it[3], now + it[4]) then
      added = added + 1
    end
  end
  if added > 0 then
    hint()
  end
  return added
end
