-- The generic cell rate algorithm over several budgets: takes one attempt of each, or nothing.
--
-- KEYS     the budgets: each holds the time at which the budget is full again, and expires then;
--          then, if a budget has turns, the turn of the network, which holds the start of the turn
-- ARGV[1]  the position of the budget that has turns, or 0
-- ARGV[2]  how far ahead turns are assigned, in microseconds
-- ARGV[3]  of each budget: microseconds in which one attempt is restored,
-- ARGV[4]  and microseconds in which an empty budget refills; and so on
-- returns  {0, 0} when the attempt is allowed, else the position of the budget with the longest wait, and the wait
local with_turns, horizon = tonumber(ARGV[1]), tonumber(ARGV[2])
local count = (#ARGV - 2) / 2
local turn = KEYS[count + 1]
local start = nil

local function every_of(position)
    return tonumber(ARGV[2 * position + 1])
end

local full_at = {}
local refusals, refusing, longest = 0, 0, 0
for position = 1, count do
    local every, refill, ahead = every_of(position), tonumber(ARGV[2 * position + 2]), 0
    if position == with_turns then
        ahead = horizon
        start = read(turn)
        if start and now > start + 2 * every then
            start = nil
        end
    end
    -- No budget is further from full than this, unless its size was reduced.
    full_at[position] = math.min(math.max(read(KEYS[position]) or now, now), now + refill + ahead)
    local wait = full_at[position] + every - refill - now
    if position == with_turns and start then
        wait = start - now
    end
    if wait > 0 then
        refusals = refusals + 1
    end
    if wait > longest then
        refusing, longest = position, wait
    end
end

local function take(position)
    local full = full_at[position] + every_of(position)
    write(KEYS[position], full, full)
end

if refusals == 0 then
    for position = 1, count do
        if position == with_turns and start then
            -- The attempt was taken when it was reserved. This ends the turn, without the right to delete keys.
            write(turn, 0, now)
        else
            take(position)
        end
    end
    return {0, 0}
end
if refusals == 1 and refusing == with_turns and not start and longest <= horizon then
    take(with_turns)
    write(turn, now + longest, now + longest + 2 * every_of(with_turns))
end
return {refusing, longest}
