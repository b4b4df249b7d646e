-- renew({key, token, fence}, …): returns the keys whose lease is still the caller's, extended.
local function transition(...)
  local kept = {}
  for _, claim in ipairs({...}) do
    local k = load(claim[1])
    if k and k.token == claim[2] and k.fence == claim[3] then
      redis.call('ZADD', P .. 'agenda', now + LEASE, k.key)
      kept[#kept + 1] = k.key
    end
  end
  return kept
end
