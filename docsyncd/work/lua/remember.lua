-- A document's new memory, its decision and its files, unless a later lease has written already. 1, or 0 if refused.
-- KEYS: memory hash, owners hash, decisions list, groups hash
-- ARGV: fence, memory JSON, decision JSON or '', document id, kept, seconds, group, n owned, owned..., disowned...
local stored = tonumber(redis.call('HGET', KEYS[1], 'fence') or '0')
if tonumber(ARGV[1]) < stored then return 0 end
redis.call('HSET', KEYS[1], 'fence', ARGV[1], 'memory', ARGV[2])
redis.call('PERSIST', KEYS[1])
if ARGV[3] ~= '' then
  redis.call('LPUSH', KEYS[3], ARGV[3])
  redis.call('LTRIM', KEYS[3], 0, tonumber(ARGV[5]) - 1)
  redis.call('EXPIRE', KEYS[3], ARGV[6])
end
if ARGV[7] ~= '' then redis.call('HSET', KEYS[4], ARGV[4], ARGV[7]) else redis.call('HDEL', KEYS[4], ARGV[4]) end
local owned = tonumber(ARGV[8])
for i = 9, 8 + owned do redis.call('HSET', KEYS[2], ARGV[i], ARGV[4]) end
for i = 9 + owned, #ARGV do
  if redis.call('HGET', KEYS[2], ARGV[i]) == ARGV[4] then redis.call('HDEL', KEYS[2], ARGV[i]) end
end
return 1
