-- Returns one attempt to each budget.
--
-- KEYS  the budgets, as the script that takes attempts stores them
-- ARGV  of each budget: microseconds in which one attempt is restored
for position, key in ipairs(KEYS) do
    local full_at = read(key)
    if full_at and full_at > now then
        full_at = math.max(full_at - tonumber(ARGV[position]), now)
        write(key, full_at, full_at)
    end
end
return 0
