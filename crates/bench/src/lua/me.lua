-- GET /me, each time in the next session. Answers are not looked at, which would cost more than asking: wrk itself counts
-- those above 399.
function prepare()
   requests, turn = {}, 0
   for _, token in ipairs(lines) do
      table.insert(requests, bearer("GET", "/me", token))
   end
end

function request()
   turn = turn % #requests + 1
   return requests[turn]
end
