-- The end of every script: answer each request, a JSON array of arguments. One that fails does not stop the others.
local replies = {}
for i, request in ipairs(ARGV) do
  local done, reply = pcall(function() return transition(unpack(cjson.decode(request))) end)
  if not done then
    reply = redis.error_reply(type(reply) == 'table' and reply.err or tostring(reply))
  end
  replies[i] = reply
end
return replies
