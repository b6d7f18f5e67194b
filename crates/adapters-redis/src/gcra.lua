-- The generic cell rate algorithm: takes one attempt of KEYS[1], or says how long to wait for the next.
--
-- ARGV[1]  microseconds in which one attempt is regained
-- ARGV[2]  microseconds in which all of them are
-- answers  0 when the attempt is allowed, else the wait in microseconds
--
-- The key holds the time at which the budget is whole again and lives until then. Times are microseconds of Redis' own
-- clock, whole numbers that a double holds exactly for centuries.
local every = tonumber(ARGV[1])
local refill = tonumber(ARGV[2])
local time = redis.call('TIME')
local now = tonumber(time[1]) * 1000000 + tonumber(time[2])

local whole_at = tonumber(redis.call('GET', KEYS[1]) or now) or now
-- No budget can be further from whole than this: a clock that was set back must lock nobody out.
whole_at = math.min(math.max(whole_at, now), now + refill)

local wait = whole_at + every - refill - now
if wait > 0 then
    return wait
end
whole_at = whole_at + every
redis.call('SET', KEYS[1], string.format('%.0f', whole_at), 'PX', math.ceil((whole_at - now) / 1000))
return 0
