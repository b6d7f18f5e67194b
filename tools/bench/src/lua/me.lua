-- GET /me, for each session in turn. The script does not read responses, which would cost more than
-- sending requests; wrk itself counts statuses of 400 and above.
function prepare()
   cycle(function(token) return bearer("GET", "/me", token) end)
end
