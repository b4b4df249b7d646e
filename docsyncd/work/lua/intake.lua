-- intake(source, lane): takes the members of a set; returns the numbers, in the set's order.
-- The whole set in one step: a number is in the set or in the queue, whenever somebody looks or anything dies.

-- Every sequence of UTF-8 that Python decodes; ASCII aside.
local WELL_FORMED = {
  '[\194-\223][\128-\191]', '\224[\160-\191][\128-\191]', '[\225-\236\238\239][\128-\191][\128-\191]',
  '\237[\128-\159][\128-\191]', '\240[\144-\191][\128-\191][\128-\191]',
  '[\241-\243][\128-\191][\128-\191][\128-\191]', '\244[\128-\143][\128-\191][\128-\191]',
}

-- As core.model.normalise_case_file_number; where bytes are not UTF-8, they become '?' and the number is seen to fail.
local function normalise(raw)
  local others = raw
  for _, sequence in ipairs(WELL_FORMED) do
    others = string.gsub(others, sequence, ' ')
  end
  local text = string.find(others, '[\128-\255]') and string.gsub(raw, '[\128-\255]', '?') or raw
  text = string.gsub(text, '\194\160', ' ')
  text = string.match(text, '^[%s\28-\31]*(.-)[%s\28-\31]*$')
  local number = string.gsub(text, '^0+', '')
  return number ~= '' and number or (text ~= '' and '0' or '')
end

-- A failed number stands in the pending set because we put it there: its back-off holds.
local function mirrored(source, k, raw, number)
  return source == PENDING and k and k.mirror and raw == number
end

local function transition(source, lane)
  local taken = {}
  for _, raw in ipairs(redis.call('SMEMBERS', source)) do
    local number = normalise(raw)
    local k = number ~= '' and load('case:' .. number)
    if not mirrored(source, k, raw, number) then
      if k and k.state == 'active' and legacy_number(k) then
        -- Moved here by hand while it is being worked on.
        redis.call('SADD', PROCESSING, number)
      end
      redis.call('SREM', source, raw)
      if number ~= '' then
        offer('case:' .. number, lane, '', now)
        taken[#taken + 1] = number
      end
    end
  end
  if #taken > 0 then
    hint()
  end
  return taken
end
