-- KEYS: owners hash; ARGV: file, document. The first to ask owns an untagged file.
redis.call('HSETNX', KEYS[1], ARGV[1], ARGV[2])
return redis.call('HGET', KEYS[1], ARGV[1])
