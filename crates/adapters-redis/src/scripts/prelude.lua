-- Shared by the scripts of the throttle. A key holds a time and when it was written, in microseconds of the clock of
-- Redis: integers that a double represents exactly for centuries.
local time = redis.call('TIME')
local now = tonumber(time[1]) * 1000000 + tonumber(time[2])

-- Returns the time in a key. A time written in the future is ignored, because the clock was set back since: it must not
-- lock clients out. A second is tolerated, so that a small correction does not fill budgets.
local function read(key)
    local value, written = string.match(redis.call('GET', key) or '', '^(%d+) (%d+)$')
    value, written = tonumber(value), tonumber(written)
    if value and written <= now + 1000000 then
        return value
    end
    return nil
end

-- Stores a time, until it is expires_at.
local function write(key, value, expires_at)
    local milliseconds = math.max(1, math.ceil((expires_at - now) / 1000))
    redis.call('SET', key, string.format('%.0f %.0f', value, now), 'PX', milliseconds)
end
