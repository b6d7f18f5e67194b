-- GET /me, each time in the next session. Answers are not looked at, which would cost more than asking: wrk itself counts
-- those above 399.
function prepare()
   go_round(function(token) return bearer("GET", "/me", token) end)
end
