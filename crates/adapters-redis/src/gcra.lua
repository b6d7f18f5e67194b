-- The generic cell rate algorithm: takes one attempt of KEYS[1], or returns how long to wait for the next.
--
-- ARGV[1]  microseconds in which one attempt is restored
-- ARGV[2]  microseconds in which an empty budget refills
-- returns  0 when the attempt is allowed, else the wait in microseconds
--
-- The key holds the time at which the budget is full again and expires then. Times are microseconds of the clock of
-- Redis: integers that a double represents exactly for centuries.
local every = tonumber(ARGV[1])
local refill = tonumber(ARGV[2])
local time = redis.call('TIME')
local now = tonumber(time[1]) * 1000000 + tonumber(time[2])

local full_at = tonumber(redis.call('GET', KEYS[1]) or now) or now
-- A budget cannot be further from full than this: a clock that was set back must not lock clients out.
full_at = math.min(math.max(full_at, now), now + refill)

local wait = full_at + every - refill - now
if wait > 0 then
    return wait
end
full_at = full_at + every
redis.call('SET', KEYS[1], string.format('%.0f', full_at), 'PX', math.ceil((full_at - now) / 1000))
return 0
